using Npgsql;

namespace DbRetry.EFCore.Hosts.Probing;

/// <summary>A new connection that belongs to nobody else: its report is fresh.</summary>
internal sealed class HostSession : IHostSession
{
    private readonly NpgsqlConnection _connection;
    private bool _isNew = true;

    private HostSession(NpgsqlConnection connection) => _connection = connection;

    public bool IsPooled => false;

    /// <param name="connection">Closed; belongs to the session, or is disposed if it cannot be opened.</param>
    /// <param name="cancellationToken">Cancels the open.</param>
    internal static async Task<IHostSession> OpenAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await connection.OpenOrDisposeAsync(cancellationToken).ConfigureAwait(false);
        return new HostSession(connection);
    }

    public async Task<HostSighting?> AskAsync(TargetSession target, TimeSpan limit, CancellationToken cancellationToken)
    {
        if (_isNew)
        {
            // Only an answer tells the timeline of a primary.
            _isNew = false;
            if (target is TargetSession.Any || HostRoles.Reported(_connection) is not (null or HostRole.Primary))
            {
                return HostRoles.Reported(_connection);
            }
        }

        return await HostRoles.AskAsync(_connection, limit, cancellationToken).ConfigureAwait(false);
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();
}
