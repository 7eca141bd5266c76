using System.Collections.Immutable;
using DbRetry.EFCore.Hosts.Probing;
using DbRetry.EFCore.Seams;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>
/// A data source that chooses its host by itself: one with a single host, or one of an Npgsql version whose hosts cannot be told apart.
/// </summary>
/// <param name="dataSource">The application's.</param>
/// <param name="cluster">Its hosts.</param>
/// <param name="target">What is looked for.</param>
/// <param name="poolTimeout">How long a connection may wait for a place in the pool.</param>
/// <param name="probes">The settings of connections by which the host is probed; <see langword="null"/> when it is not.</param>
internal sealed class WholeDataSourceRoute(
    NpgsqlDataSource dataSource, Cluster cluster, TargetSession target, TimeSpan poolTimeout, NpgsqlConnectionStringBuilder? probes = null)
    : HostRoute(cluster.Hosts.Length == 1 ? cluster : new Cluster(ImmutableArray.Create(cluster.Hosts[0])), target, poolTimeout)
{
    internal override bool CanProbe => probes is not null;

    internal override string NameOf(int host) => cluster.Hosts.Length == 1 ? base.NameOf(host) : $"one of {cluster.Name}";

    internal override void Bind(NpgsqlConnection connection, int host)
    {
    }

    /// <remarks>From the pool, as with several hosts: only the data source knows how the application authenticates.</remarks>
    internal override Task<IHostSession> ConnectAsync(int host, CancellationToken cancellationToken)
    {
        var connection = dataSource.CreateConnection();
        DataSourceHosts.Move(connection, dataSource, probes!);
        return PooledHostSession.OpenAsync(connection, Types, host, cancellationToken);
    }

    internal override void ClearPool(int host)
    {
        dataSource.Clear();
        (dataSource as NpgsqlMultiHostDataSource)?.ClearDatabaseStates();
    }
}
