using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>A proxy in front of each node of a cluster: one that nobody else knows, and whose hosts fail without harm to the servers.</summary>
internal sealed class HostProxies : IAsyncDisposable
{
    private readonly string _connectionString;

    private HostProxies(LocalCluster cluster, string database)
    {
        Cluster = cluster;
        Nodes = [.. Enumerable.Range(0, cluster.NodeCount).Select(node => FaultProxy.Start(cluster.NodeConnectionString(node)))];
        _connectionString = cluster.ConnectionString(database);
    }

    public LocalCluster Cluster { get; }

    /// <summary>In the order of the nodes.</summary>
    public IReadOnlyList<FaultProxy> Nodes { get; }

    public string ConnectionString => Through([0, 1, 2]);

    public static async Task<HostProxies> CreateAsync(LocalCluster? cluster = null, string database = "postgres")
        => new(cluster ?? await SharedCluster.TripleAsync(), database);

    /// <summary>With the hosts in this order.</summary>
    public string Through(params IEnumerable<int> nodes)
        => FaultProxy.Through(_connectionString, nodes.Select(node => Nodes[node]));

    /// <summary>To all of them, with pools of its own.</summary>
    public HostRoute Route(RetrySettings settings, TimeProvider time, string? more = null)
        => ConnectionStringRoute.Get($"{ConnectionString};Application Name={Guid.NewGuid():N}{more}", null, settings, names: null, time);

    /// <summary>Which host of a route a node is: a cluster has its hosts in an order of its own.</summary>
    public int HostOf(HostRoute route, int node) => route.Cluster.Hosts.Select(host => host.Port).ToList().IndexOf(Nodes[node].Port);

    public void Arm()
    {
        foreach (var node in Nodes)
        {
            node.Arm();
        }
    }

    /// <summary>The statements that came by since.</summary>
    public IReadOnlyList<string> Sql() => [.. Nodes.SelectMany(node => node.Messages).Select(message => message.Sql).OfType<string>()];

    public async ValueTask DisposeAsync()
    {
        foreach (var node in Nodes)
        {
            await node.DisposeAsync();
        }
    }
}
