using System.Runtime.CompilerServices;
using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts.Probing;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Seams;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>Reaches each host of a multi-host data source through that source's own pool, so that no mapping, plugin or callback is lost.</summary>
internal sealed class DataSourceRoute : HostRoute
{
    private static readonly ConditionalWeakTable<NpgsqlDataSource, Dictionary<(TargetSession?, TimeSpan), HostRoute>> Routes = [];

    private readonly (NpgsqlDataSource Pool, NpgsqlConnectionStringBuilder Settings)[] _hosts;

    private DataSourceRoute(Cluster cluster, TargetSession target, TimeSpan poolTimeout, (NpgsqlDataSource, NpgsqlConnectionStringBuilder)[] hosts)
        : base(cluster, target, poolTimeout)
        => _hosts = hosts;

    internal override bool CanProbe => true;

    internal static HostRoute Get(NpgsqlDataSource dataSource, TargetSession? declared, RetrySettings settings)
    {
        var routes = Routes.GetOrCreateValue(dataSource);
        var key = (settings.TargetSession ?? declared, settings.HostTimeout);
        lock (routes)
        {
            if (!routes.TryGetValue(key, out var route))
            {
                routes[key] = route = Create(dataSource, key.Item1, settings.HostTimeout);
            }

            return route;
        }
    }

    internal override void Bind(NpgsqlConnection connection, int host)
    {
        DataSourceHosts.Move(connection, _hosts[host].Pool, _hosts[host].Settings);
        Types?.Bound(connection, host);
    }

    /// <remarks>Through the host's own pool: only it knows how the application authenticates. An idle connection may be dead, so the server is always asked.</remarks>
    internal override Task<IHostSession> ConnectAsync(int host, CancellationToken cancellationToken)
    {
        var connection = _hosts[host].Pool.CreateConnection();
        Bind(connection, host);
        return PooledHostSession.OpenAsync(connection, Types, host, cancellationToken);
    }

    internal override void ClearPool(int host) => _hosts[host].Pool.Clear();

    private static HostRoute Create(NpgsqlDataSource dataSource, TargetSession? target, TimeSpan hostTimeout)
    {
        var settings = new NpgsqlConnectionStringBuilder(dataSource.ConnectionString);
        TargetSession? declared = TargetSessionNames.TryParse(DataSourceHosts.TargetOf(dataSource), out var parsed) ? parsed : null;
        var cluster = ClusterRegistry.Get(HostList.FromNpgsql(settings.Host!, settings.Port));
        if (!DataSourceHosts.IsAvailable || DataSourceHosts.MultiHost(dataSource) is not { } multiHost)
        {
            var probes = DataSourceHosts.IsAvailable && cluster.Hosts.Length == 1 && !settings.Multiplexing
                ? new NpgsqlConnectionStringBuilder(DataSourceHosts.SettingsOf(dataSource).ConnectionString).LimitTimeout(hostTimeout)
                : null;
            return new WholeDataSourceRoute(dataSource, cluster, DefaultTarget.Resolve(target, declared, hosts: 1), settings.PoolTimeout(), probes);
        }

        var hosts = new (NpgsqlDataSource, NpgsqlConnectionStringBuilder)[cluster.Hosts.Length];
        foreach (var pool in DataSourceHosts.Hosts(multiHost))
        {
            var own = new NpgsqlConnectionStringBuilder(DataSourceHosts.SettingsOf(pool).ConnectionString);
            var host = cluster.Hosts.IndexOf(ClusterRegistry.Normalise(HostList.FromNpgsql(own.Host!, own.Port)[0]));
            hosts[host] = (pool, own.LimitTimeout(hostTimeout));
        }

        return new DataSourceRoute(cluster, DefaultTarget.Resolve(target, declared, cluster.Hosts.Length), settings.PoolTimeout(), hosts);
    }
}
