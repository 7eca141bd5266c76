using Npgsql;

namespace DbRetry.EFCore.Hosts.Probing;

/// <inheritdoc cref="IHostSession"/>
internal sealed class HostSession : IHostSession
{
    private readonly NpgsqlConnection _connection;
    private bool _isNew;

    private HostSession(NpgsqlConnection connection, bool isNew)
    {
        _connection = connection;
        _isNew = isNew;
    }

    /// <param name="connection">Closed; belongs to the session, or is disposed if it cannot be opened.</param>
    /// <param name="isNew">Whether it will be a new connection to the server and not one that has been idle in a pool.</param>
    /// <param name="cancellationToken">Cancels the open.</param>
    internal static async Task<IHostSession> OpenAsync(NpgsqlConnection connection, bool isNew, CancellationToken cancellationToken)
    {
        try
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            return new HostSession(connection, isNew);
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async Task<HostSighting?> AskAsync(TargetSession target, TimeSpan limit, CancellationToken cancellationToken)
    {
        if (_isNew)
        {
            // Its report is fresh; but only an answer tells the timeline of a primary.
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
