using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;
using Npgsql;

namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>Three nodes of our own for one scenario, where the failover manager is us.</summary>
internal sealed class LocalBed : IFailoverBed
{
    private const string Database = "proof";

    private readonly LocalScenario _scenario;
    private readonly HashSet<int> _deposed = [];

    private LocalBed(LocalScenario scenario, LocalCluster cluster)
    {
        _scenario = scenario;
        Cluster = cluster;
        Proxies = scenario.Proxied
            ? [.. Enumerable.Range(0, cluster.NodeCount).Select(node => FaultProxy.Start(cluster.NodeConnectionString(node)))]
            : [];
        foreach (var proxy in Proxies)
        {
            proxy.Recording = false;
        }
        var ports = scenario.Proxied ? Proxies.Select(proxy => proxy.Port) : Enumerable.Range(0, cluster.NodeCount).Select(cluster.Port);
        ConnectionString = $"Host={string.Join(',', ports.Select(port => $"127.0.0.1:{port}"))};Username=postgres;Database={Database}";
    }

    public LocalCluster Cluster { get; }

    /// <summary>What clients see of each node; none if they see the nodes themselves.</summary>
    public IReadOnlyList<FaultProxy> Proxies { get; }

    public string ConnectionString { get; }

    public static async Task<LocalBed> StartAsync(LocalScenario scenario, CancellationToken cancellationToken)
    {
        var cluster = await LocalCluster.StartAsync(new() { Nodes = 3, Synchronous = scenario.Synchronous }, cancellationToken);
        try
        {
            await cluster.CreateDatabaseAsync(Database, cancellationToken);
            await using var admin = await cluster.AdminConnectionAsync(cluster.PrimaryIndex, Database, cancellationToken);
            await admin.ExecuteAsync(ProofContext.Schema, cancellationToken);
            await cluster.WaitForReplayAsync(cancellationToken);
            return new(scenario, cluster);
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public IAsyncEnumerable<Outage> PlayAsync(CancellationToken cancellationToken) => _scenario.Story(this, cancellationToken);

    /// <summary>Promotes the standby that has received most, or the one that is named, as soon as the others follow it.</summary>
    public async Task<Outage> FailOverAsync(long faultAt, int? heir, CancellationToken cancellationToken)
    {
        var node = heir ?? await Cluster.FurthestStandbyAsync(cancellationToken);
        await Cluster.FollowAsync(node, cancellationToken);
        return await PromoteAsync(node, faultAt, cancellationToken);
    }

    /// <summary>Promotes a standby, whatever the others do.</summary>
    public async Task<Outage> PromoteAsync(int node, long faultAt, CancellationToken cancellationToken)
    {
        var old = Cluster.PrimaryIndex;
        var connection = await Cluster.AdminConnectionAsync(node, Database, cancellationToken);
        return await WatchAsync(connection, node, faultAt, () => Cluster.PromoteAsync(node, cancellationToken), () => _deposed.Add(old), cancellationToken);
    }

    /// <summary>Starts the stopped primary as what it was.</summary>
    public Task<Outage> StartAgainAsync(long faultAt, CancellationToken cancellationToken)
    {
        var node = Cluster.PrimaryIndex;
        var connection = new NpgsqlConnection($"{Cluster.NodeConnectionString(node, Database)};Pooling=false");
        return WatchAsync(connection, node, faultAt, () => Cluster.StartNodeAsync(node, cancellationToken), () => { }, cancellationToken);
    }

    /// <summary>Will be made a standby of the primary by <see cref="RestoreAsync"/>.</summary>
    public void Depose(int node) => _deposed.Add(node);

    /// <summary>Makes a node a standby of the primary.</summary>
    public async Task RejoinAsync(int node, CancellationToken cancellationToken)
    {
        await Cluster.RejoinAsync(node, cancellationToken);
        _deposed.Remove(node);
    }

    public async Task ReleaseAsync(CancellationToken cancellationToken)
    {
        foreach (var proxy in Proxies)
        {
            proxy.FailAll(FaultAction.Reset);
        }
        foreach (var node in _deposed)
        {
            await Cluster.KillAsync(node, cancellationToken);
        }
    }

    public async Task RestoreAsync(CancellationToken cancellationToken)
    {
        await ReleaseAsync(cancellationToken);
        foreach (var proxy in Proxies)
        {
            proxy.AcceptConnections();
        }
        await Cluster.FollowPrimaryAsync(cancellationToken);
        foreach (var node in _deposed.ToArray())
        {
            await RejoinAsync(node, cancellationToken);
        }
        await Cluster.WaitForStandbysAsync(Cluster.NodeCount - 1, cancellationToken);
    }

    public Task<NpgsqlConnection> OpenPrimaryAsync(CancellationToken cancellationToken)
        => Cluster.AdminConnectionAsync(Cluster.PrimaryIndex, Database, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        foreach (var proxy in Proxies)
        {
            await proxy.DisposeAsync();
        }
        await Cluster.DisposeAsync();
    }

    private async Task<Outage> WatchAsync(
        NpgsqlConnection connection, int node, long faultAt, Func<Task> cure, Action cured, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var watching = WriteWatch.RunAsync(connection, end.Token);
        try
        {
            await cure();
            cured();
            var (promotedAt, writableAt) = await watching;
            return new(Cluster.Port(node), faultAt, promotedAt, writableAt);
        }
        catch
        {
            await end.CancelAsync();
            await watching.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            throw;
        }
    }
}
