using System.Diagnostics;
using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Probing;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts.Probing;

/// <summary>Real contexts wait for a primary. One of the hosts is a standby at first and then, as after a promotion, the primary.</summary>
[TestClass]
public sealed class WaitingContextsTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task Two_hundred_contexts_that_wait_make_no_more_connections_than_one_and_all_are_served_after_the_promotion()
    {
        await using var bed = await HostProxies.CreateAsync();
        Demote(bed);
        var work = Enumerable.Range(0, 200)
            .Select(i => i % 50 == 0
                ? Task.Factory.StartNew(() => WorkAsync(bed, async: false), Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap()
                : WorkAsync(bed, async: true))
            .ToArray();
        var prober = ClusterOf(bed).Prober;
        await UntilAsync(() => prober.Waiting == work.Length, () => $"{prober.Waiting} wait");

        var clock = Stopwatch.StartNew();
        var before = Connections(bed);
        await Task.Delay(500, Cancellation);
        var made = Connections(bed) - before;

        var connections = (clock.Elapsed / HostWatch.Kept) + 2;
        Assert.IsLessThanOrEqualTo(3 * connections, made, "One prober makes no more than that, and each of those who wait would make as many.");
        Assert.IsGreaterThan(0, made);
        Promote(bed);
        foreach (var node in await Task.WhenAll(work))
        {
            Assert.AreEqual(0, node);
        }

        await AssertQuietAsync(bed);
    }

    [TestMethod]
    public async Task A_multi_host_data_source_is_probed_through_its_own_pools()
    {
        await using var bed = await HostProxies.CreateAsync();
        Demote(bed);
        var work = WorkOnDataSourceAsync(bed);
        var prober = ClusterOf(bed).Prober;
        await UntilAsync(() => prober.IsProbing, () => "nobody probes");
        Promote(bed);
        Assert.AreEqual(0, await work);
        await AssertQuietAsync(bed);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task A_data_source_with_one_host_is_probed_through_itself(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        bed.Nodes[0].RefuseConnections();
        var work = Task.Run(() => WorkOnSingleDataSourceAsync(bed, async), Cancellation);
        var prober = ClusterRegistry.Get([new HostEndpoint("127.0.0.1", bed.Nodes[0].Port)]).Prober;
        await UntilAsync(() => prober.IsProbing, () => "nobody probes");
        bed.Nodes[0].AcceptConnections();
        Assert.AreEqual(0, await work);
        await UntilAsync(() => !prober.IsProbing, () => "it goes on probing");
    }

    [TestMethod]
    public async Task A_database_that_does_not_exist_is_reported_as_soon_as_a_host_comes_back()
    {
        await using var bed = await HostProxies.CreateAsync(database: "there_is_no_such_database");
        bed.Nodes.ToList().ForEach(node => node.RefuseConnections());
        var work = WorkAsync(bed, async: true);
        var prober = ClusterOf(bed).Prober;
        await UntilAsync(() => prober.IsProbing, () => "nobody probes");
        bed.Nodes.ToList().ForEach(node => node.AcceptConnections());
        var error = await Assert.ThrowsExactlyAsync<PostgresException>(() => work);
        Assert.AreEqual(PostgresErrorCodes.InvalidCatalogName, error.SqlState);
    }

    [TestMethod]
    public async Task A_caller_who_cancels_leaves_at_once_and_the_last_one_stops_the_probes()
    {
        await using var bed = await HostProxies.CreateAsync();
        Demote(bed);
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var work = WorkAsync(bed, async: true, source.Token);
        var prober = ClusterOf(bed).Prober;
        await UntilAsync(() => prober.IsProbing, () => "nobody probes");
        await source.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => work);
        Assert.AreEqual(0, prober.Waiting);
        await AssertQuietAsync(bed);
    }

    private static void Demote(HostProxies bed) => bed.Nodes[0].Target = FaultProxy.EndPointOf(bed.Cluster.NodeConnectionString(1));

    private static void Promote(HostProxies bed)
    {
        bed.Nodes[0].Target = FaultProxy.EndPointOf(bed.Cluster.NodeConnectionString(0));
        bed.Nodes[0].FailAll(FaultAction.Reset); // They lead to the standby.
    }

    private static Cluster ClusterOf(HostProxies bed) => ClusterRegistry.Get(bed.Nodes.Select(node => new HostEndpoint("127.0.0.1", node.Port)));

    private static int Connections(HostProxies bed) => bed.Nodes.Sum(node => node.ConnectionCount);

    private async Task<int> WorkAsync(HostProxies bed, bool async, CancellationToken? cancellationToken = null)
    {
        await using var context = HostBed.Context($"{bed.ConnectionString};Maximum Pool Size=20");
        return await context.NodeAsync(bed.Cluster, async, cancellationToken ?? Cancellation);
    }

    private async Task<int> WorkOnDataSourceAsync(HostProxies bed)
    {
        await using var dataSource = new NpgsqlDataSourceBuilder(bed.ConnectionString).BuildMultiHost();
        await using var context = HostBed.Build(builder => builder.UseNpgsql(dataSource).UseDbRetry());
        return await context.NodeAsync(bed.Cluster, async: true, Cancellation);
    }

    private async Task<int> WorkOnSingleDataSourceAsync(HostProxies bed, bool async)
    {
        await using var dataSource = new NpgsqlDataSourceBuilder($"{bed.Through([0])};Maximum Pool Size=1").Build();
        await using var context = HostBed.Build(builder => builder.UseNpgsql(dataSource).UseDbRetry());
        return await context.NodeAsync(bed.Cluster, async, Cancellation);
    }

    private async Task AssertQuietAsync(HostProxies bed)
    {
        var prober = ClusterOf(bed).Prober;
        await UntilAsync(() => !prober.IsProbing, () => "it goes on probing");
        var seen = -1;
        await UntilAsync(() => seen == (seen = Connections(bed)), () => "connections are still being made", TimeSpan.FromMilliseconds(100));
        await Task.Delay(100, Cancellation);
        Assert.AreEqual(seen, Connections(bed), "Nobody waits, and still somebody connects.");
    }

    private async Task UntilAsync(Func<bool> condition, Func<string> otherwise, TimeSpan pause = default)
    {
        for (var i = 0; i < 3000 && !condition(); i++)
        {
            await Task.Delay(pause == default ? TimeSpan.FromMilliseconds(10) : pause, Cancellation);
        }

        Assert.IsTrue(condition(), otherwise());
    }
}
