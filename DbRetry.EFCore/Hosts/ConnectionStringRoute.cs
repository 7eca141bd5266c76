using System.Collections.Concurrent;
using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Retry;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>Reaches each host through a connection string of its own, built once: each distinct string is its own pool in Npgsql.</summary>
internal sealed class ConnectionStringRoute : HostRoute
{
    private static readonly ConcurrentDictionary<(string ConnectionString, TargetSession? Target, TimeSpan HostTimeout), ConnectionStringRoute> Routes = new();

    private readonly string[] _connectionStrings;
    private readonly string[] _probes;

    private ConnectionStringRoute(Cluster cluster, TargetSession target, TimeSpan poolTimeout, string[] connectionStrings, TimeSpan hostTimeout)
        : base(cluster, target, poolTimeout)
    {
        _connectionStrings = connectionStrings;
        _probes = Array.ConvertAll(connectionStrings, connectionString => ForProbes(connectionString, hostTimeout));
    }

    internal override bool CanProbe => true;

    internal static ConnectionStringRoute Get(string connectionString, TargetSession? declared, RetrySettings settings)
        => Routes.GetOrAdd((connectionString, settings.TargetSession ?? declared, settings.HostTimeout), static key => Create(key));

    internal override void Bind(NpgsqlConnection connection, int host) => connection.ConnectionString = _connectionStrings[host];

    internal override async Task<HostSighting?> ProbeAsync(int host, TargetSession target, TimeSpan limit, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(_probes[host]);
        await using (connection.ConfigureAwait(false))
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);

            // A new connection's report is fresh; but only an answer tells the timeline of a primary.
            if (target is TargetSession.Any || HostRoles.Reported(connection) is not (null or HostRole.Primary))
            {
                return HostRoles.Reported(connection);
            }

            // Not to be cancelled: it is limited anyway, and Npgsql may block whoever cancels a command.
            return await HostRoles.AskAsync(connection, limit, CancellationToken.None).ConfigureAwait(false);
        }
    }

    internal override void ClearPool(int host)
    {
        using var connection = new NpgsqlConnection(_connectionStrings[host]);
        NpgsqlConnection.ClearPool(connection);
    }

    private static ConnectionStringRoute Create((string ConnectionString, TargetSession? Target, TimeSpan HostTimeout) key)
    {
        var dsn = ParsedDsn.Parse(key.ConnectionString);
        var cluster = ClusterRegistry.Get(dsn.Hosts);
        return new(
            cluster,
            DefaultTarget.Resolve(key.Target, dsn.TargetSession, cluster.Hosts.Length),
            new NpgsqlConnectionStringBuilder(dsn.BaseConnectionString).PoolTimeout(),
            [.. cluster.Hosts.Select(host => ForHost(dsn, key.ConnectionString, host, cluster.Hosts.Length, key.HostTimeout))],
            key.HostTimeout);
    }

    // The same server, user and security; but it takes no place in the application's pool, and it does nothing beyond connecting.
    private static string ForProbes(string connectionString, TimeSpan hostTimeout)
        => new NpgsqlConnectionStringBuilder(connectionString)
        {
            Pooling = false,
            Multiplexing = false,
            Enlist = false,
            CancellationTimeout = -1,
        }.LimitTimeout(hostTimeout).WithoutSecondTry().ConnectionString;

    // A single host keeps its string, and with it the pool that the application may already use.
    private static string ForHost(ParsedDsn dsn, string connectionString, HostEndpoint host, int hosts, TimeSpan hostTimeout)
        => hosts == 1
            ? connectionString
            : new NpgsqlConnectionStringBuilder(dsn.ForHost(host)).LimitTimeout(hostTimeout).WithoutSecondTry().WithKeepalive(host).ConnectionString;
}
