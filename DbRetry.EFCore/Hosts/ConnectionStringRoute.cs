using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net.Security;
using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts.Names;
using DbRetry.EFCore.Hosts.Probing;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Seams;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>Reaches each host through a connection string of its own, built once: each distinct string is its own pool in Npgsql.</summary>
internal sealed class ConnectionStringRoute : HostRoute
{
    // Kept for ever, one for each string: so does Npgsql keep its pools, with and without pooling (PoolManager, NpgsqlConnection.SetupDataSource). Whoever has
    // ever new passwords gives a data source one that is asked for.
    private static readonly ConcurrentDictionary<Key, HostRoute> Routes = new();

    private readonly NamedHosts? _names;
    private readonly string[] _connectionStrings;
    private readonly Lazy<NpgsqlDataSource>[] _probes;
    private readonly bool _lendsPools;

    /// <summary>Where names stand for several addresses: whose certificate is expected of each host.</summary>
    private readonly Action<SslClientAuthenticationOptions>?[] _certificates;

    private ConnectionStringRoute(
        Cluster cluster, TargetSession target, TimeSpan poolTimeout, string[] connectionStrings, TimeSpan hostTimeout, NamedHosts? names)
        : base(cluster, target, poolTimeout)
    {
        _names = names;
        _connectionStrings = connectionStrings;
        _lendsPools = DataSourceHosts.IsAvailable && new NpgsqlConnectionStringBuilder(connectionStrings[0]) is { Pooling: true, Multiplexing: false };
        _certificates = [.. cluster.Hosts.Select(static host => NamedServer.Callback(host.Name))];
        _probes = [.. connectionStrings.Zip(
            _certificates, (connectionString, certificate) => new Lazy<NpgsqlDataSource>(() => ForProbes(connectionString, certificate, hostTimeout)))];
    }

    internal override bool CanProbe => true;

    internal override HostRoute Latest => _names?.Route ?? this;

    /// <param name="connectionString">With all hosts.</param>
    /// <param name="declared">The target session that was declared beside it.</param>
    /// <param name="settings">Those of the context.</param>
    /// <param name="names">Who resolves names; <see langword="null"/> to leave that to Npgsql.</param>
    /// <param name="time">The clock.</param>
    internal static HostRoute Get(string connectionString, TargetSession? declared, RetrySettings settings, IHostNames? names, TimeProvider time)
        => Routes.GetOrAdd(
            new(connectionString, settings.TargetSession ?? declared, settings.HostTimeout, names is not null),
            static (key, source) => Create(key, source.names, source.time),
            (names, time));

    internal override HostRoute LookUp() => _names?.LookUp() ?? this;

    internal override ValueTask<HostRoute> LookUpAsync(CancellationToken cancellationToken)
        => _names?.LookUpAsync(cancellationToken) ?? new(this);

    internal override void Bind(NpgsqlConnection connection, int host)
    {
        connection.ConnectionString = _connectionStrings[host];
        if (!NamedServer.IsHandledElsewhere(connection))
        {
            connection.SslClientAuthenticationOptionsCallback = _certificates[host];
        }

        Types?.Bound(connection, host);
    }

    internal override Task<IHostSession> ConnectAsync(int host, CancellationToken cancellationToken)
        => HostSession.OpenAsync(_probes[host].Value.CreateConnection(), cancellationToken);

    /// <remarks>
    /// The pool of a standby that becomes the primary has most often had no connection at all, and all who come need one. But one that has some may be full, and what
    /// is idle there may be dead, or lead to where a proxy led before.
    /// </remarks>
    internal override Task<IHostSession> ConnectForAllAsync(int host, CancellationToken cancellationToken)
    {
        if (_lendsPools && Types is { } types)
        {
            var connection = new NpgsqlConnection();
            Bind(connection, host);
            if (DataSourceHosts.PoolOf(connection) is { } pool && PoolSize.IsEmpty(pool) && types.Has(host))
            {
                return PooledHostSession.OpenAsync(connection, types, host, cancellationToken);
            }
        }

        return ConnectAsync(host, cancellationToken);
    }

    /// <remarks>One that is no primary will most often only say so, and has no use for a pool.</remarks>
    internal override NpgsqlConnection ConnectionForInquiry(NpgsqlConnection lost, int host)
        => Cluster.Hosts.Length == 1 || Cluster.Primary == host ? base.ConnectionForInquiry(lost, host) : _probes[host].Value.CreateConnection();

    internal override void ClearPool(int host)
    {
        using var connection = new NpgsqlConnection(_connectionStrings[host]);
        NpgsqlConnection.ClearPool(connection);
    }

    private static HostRoute Create(Key key, IHostNames? names, TimeProvider time)
    {
        var dsn = ParsedDsn.Parse(key.ConnectionString);
        var target = DefaultTarget.Resolve(key.Target, dsn.TargetSession, dsn.Hosts.Distinct().Count());
        return names is not null && MayStandForSeveral(dsn, target)
            ? new NamedHosts(dsn.Hosts, names, time, (hosts, named) => Create(key, dsn, target, hosts, named)).Route
            : Create(key, dsn, target, dsn.Hosts, names: null);
    }

    private static ConnectionStringRoute Create(Key key, ParsedDsn dsn, TargetSession target, ImmutableArray<HostEndpoint> hosts, NamedHosts? names)
    {
        var cluster = ClusterRegistry.Get(hosts);
        return new(
            cluster,
            target,
            new NpgsqlConnectionStringBuilder(dsn.BaseConnectionString).PoolTimeout(),
            [.. cluster.Hosts.Select(host => ForHost(dsn, key.ConnectionString, host, cluster.Hosts.Length, key.HostTimeout))],
            key.HostTimeout,
            names);
    }

    // Where any server will do, Npgsql itself tries all addresses of a name. A password file and Kerberos know servers by their names only.
    private static bool MayStandForSeveral(ParsedDsn dsn, TargetSession target)
        => target is not TargetSession.Any
            && dsn.Hosts.Any(HostAddresses.IsName)
            && new NpgsqlConnectionStringBuilder(dsn.BaseConnectionString) is var settings
            && (settings.Password is not null || settings.SslCertificate is not null);

    // The same server, user and security; but it takes no place in the application's pool, and it does nothing beyond connecting: no types are loaded.
    private static NpgsqlDataSource ForProbes(string connectionString, Action<SslClientAuthenticationOptions>? certificate, TimeSpan hostTimeout)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString)
        {
            Pooling = false,
            Multiplexing = false,
            Enlist = false,
            CancellationTimeout = -1,
        }.LimitTimeout(hostTimeout).WithoutSecondTry();
        return new NpgsqlDataSourceBuilder(settings.ConnectionString) { Name = $"probes of {settings.Host}:{settings.Port}" }
            .ConfigureTypeLoading(static types => types.EnableTypeLoading(false))
            .UseSslClientAuthenticationOptionsCallback(certificate)
            .Build();
    }

    // A single host keeps its string, and with it the pool that the application may already use.
    private static string ForHost(ParsedDsn dsn, string connectionString, HostEndpoint host, int hosts, TimeSpan hostTimeout)
        => hosts == 1
            ? connectionString
            : new NpgsqlConnectionStringBuilder(dsn.ForHost(host)).LimitTimeout(hostTimeout).WithoutSecondTry().WithKeepalive(host).ConnectionString;

    private readonly record struct Key(string ConnectionString, TargetSession? Target, TimeSpan HostTimeout, bool ResolvesNames);
}
