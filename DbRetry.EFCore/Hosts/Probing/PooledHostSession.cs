using Npgsql;

namespace DbRetry.EFCore.Hosts.Probing;

/// <summary>
/// A connection of the application's pool. It may have been idle there for long, so the host is always asked; and the application goes on with it as soon as the
/// host is what is looked for.
/// </summary>
internal sealed class PooledHostSession : IHostSession
{
    private readonly NpgsqlConnection _connection;
    private readonly SharedTypes? _types;
    private readonly int _host;

    private PooledHostSession(NpgsqlConnection connection, SharedTypes? types, int host)
    {
        _connection = connection;
        _types = types;
        _host = host;
    }

    public bool IsPooled => true;

    /// <param name="connection">Closed; belongs to the session, or is disposed if it cannot be opened.</param>
    /// <param name="types">The types that the pools of the route share.</param>
    /// <param name="host">The host.</param>
    /// <param name="cancellationToken">Cancels the open.</param>
    internal static async Task<IHostSession> OpenAsync(NpgsqlConnection connection, SharedTypes? types, int host, CancellationToken cancellationToken)
    {
        types?.Suppose(host);
        try
        {
            await connection.OpenOrDisposeAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            types?.Settled(host);
            throw;
        }

        return new PooledHostSession(connection, types, host);
    }

    public async Task<HostSighting?> AskAsync(TargetSession target, TimeSpan limit, CancellationToken cancellationToken)
    {
        var sighting = await HostRoles.AskAsync(_connection, limit, cancellationToken).ConfigureAwait(false);
        if (_types?.Refutes(_host, sighting) is true)
        {
            await _connection.ReloadTypesAsync(CancellationToken.None).ConfigureAwait(false);
        }

        _types?.Settled(_host);
        return sighting;
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();
}
