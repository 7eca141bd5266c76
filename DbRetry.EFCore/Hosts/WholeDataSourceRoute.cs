using System.Collections.Immutable;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>
/// A data source that chooses its host by itself: one with a single host, or one of an Npgsql version whose hosts cannot be told apart.
/// </summary>
internal sealed class WholeDataSourceRoute(NpgsqlDataSource dataSource, Cluster cluster, TargetSession target, TimeSpan poolTimeout)
    : HostRoute(cluster.Hosts.Length == 1 ? cluster : new Cluster(ImmutableArray.Create(cluster.Hosts[0])), target, poolTimeout)
{
    internal override string NameOf(int host) => cluster.Hosts.Length == 1 ? base.NameOf(host) : $"one of {cluster.Name}";

    internal override void Bind(NpgsqlConnection connection, int host)
    {
    }

    internal override void ClearPool(int host)
    {
        dataSource.Clear();
        (dataSource as NpgsqlMultiHostDataSource)?.ClearDatabaseStates();
    }
}
