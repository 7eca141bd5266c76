using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>Single addresses behind which the servers of a cluster change: what stands there knows of a failover sooner or later.</summary>
internal sealed class MovingAddresses : IAsyncDisposable
{
    private readonly LocalCluster _cluster;
    private readonly FaultProxy _plain;
    private readonly FaultProxy _pooled;
    private readonly HttpChecks _checks;
    private readonly LocalProgram? _pooler;
    private readonly LocalProgram? _balancer;

    private MovingAddresses(
        LocalCluster cluster, FaultProxy plain, FaultProxy pooled, HttpChecks checks, LocalProgram? pooler, LocalProgram? balancer)
    {
        _cluster = cluster;
        _plain = plain;
        _pooled = pooled;
        _checks = checks;
        _pooler = pooler;
        _balancer = balancer;
    }

    /// <summary>Programs that are not installed, whose addresses are therefore not there.</summary>
    public static IReadOnlyList<string> Missing => [.. new[] { PgBouncer.Program, HaProxy.Program }.Where(program => !LocalProgram.IsInstalled(program))];

    public static async Task<MovingAddresses> StartAsync(LocalCluster cluster, CancellationToken cancellationToken)
    {
        var plain = FaultProxy.Start(cluster.NodeConnectionString(cluster.PrimaryIndex));
        var pooled = FaultProxy.Start(cluster.NodeConnectionString(cluster.PrimaryIndex));
        var checks = new HttpChecks(cluster.NodeCount, cluster.PrimaryIndex);
        var pooler = Missing.Contains(PgBouncer.Program) ? null : await PgBouncer.StartAsync(pooled.Port, cancellationToken);
        var balancer = Missing.Contains(HaProxy.Program) ? null : await HaProxy.StartAsync(cluster, checks, cancellationToken);
        return new MovingAddresses(cluster, plain, pooled, checks, pooler, balancer);
    }

    /// <summary>A connection string for each address, by what stands there.</summary>
    public IReadOnlyDictionary<string, string> ConnectionStrings(string database)
    {
        var all = new Dictionary<string, string> { ["address"] = To(_plain.Port) };
        if (_pooler is not null)
        {
            // What Npgsql's documentation advises for a pooler: no pool of its own that resets sessions that are not its own.
            all["PgBouncer"] = $"{To(_pooler.Port)};Pooling=false;No Reset On Close=true";
        }

        if (_balancer is not null)
        {
            all["HAProxy"] = To(_balancer.Port);
        }

        return all;

        string To(int port)
            => new NpgsqlConnectionStringBuilder(_cluster.NodeConnectionString(0, database)) { Host = "127.0.0.1", Port = port }.ConnectionString;
    }

    /// <summary>
    /// New connections go to that node. Open ones go on at the plain address, as they do when a name moves; the pooler is told to reconnect.
    /// </summary>
    public void LeadTo(int node)
    {
        _plain.Target = _pooled.Target = FaultProxy.EndPointOf(_cluster.NodeConnectionString(node));
        _pooled.FailAll(FaultAction.Reset);
        _checks.Primary = node;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var program in new[] { _pooler, _balancer })
        {
            if (program is not null)
            {
                await program.DisposeAsync();
            }
        }

        await _checks.DisposeAsync();
        await _plain.DisposeAsync();
        await _pooled.DisposeAsync();
    }
}
