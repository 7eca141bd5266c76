using System.Diagnostics;
using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Probing;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>A standby was promoted while its primary lives on: both take writes, and only one of them will keep them.</summary>
[TestClass]
public sealed class SplitBrainTests
{
    private const int Old = 0;
    private const int New = 1;

    private static LocalCluster? _cluster;

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [ClassInitialize]
    public static async Task SplitAsync(TestContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (SharedCluster.ExternalServer is not null)
        {
            return;
        }

        _cluster = await SharedCluster.OwnAsync(new LocalClusterOptions { Nodes = 2 }, context.CancellationToken);
        await using (var admin = await _cluster.AdminConnectionAsync(Old, cancellationToken: context.CancellationToken))
        {
            await admin.ExecuteAsync(CounterContext.Schema, context.CancellationToken);
        }

        await _cluster.WaitForReplayAsync(context.CancellationToken);
        await _cluster.PromoteAsync(New, context.CancellationToken);

        // The first connections of a process take their time, and what the other host says is not waited for as long as that.
        await using var bed = await HostProxies.CreateAsync(_cluster);
        await using var first = Context(bed);
        await first.NodeAsync(_cluster, async: true, context.CancellationToken);
    }

    [ClassCleanup]
    public static async Task StopAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }
    }

    [TestInitialize]
    public void RequireLocal() => SharedCluster.RequireLocal();

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Of_two_hosts_that_take_writes_the_one_with_the_higher_timeline_is_used(bool async)
    {
        for (var prompt = 0; prompt < 5;)
        {
            await using var bed = await HostProxies.CreateAsync(_cluster);
            await using var context = Context(bed);
            var startedAt = Stopwatch.GetTimestamp();
            var node = await context.NodeAsync(bed.Cluster, async, Cancellation);
            if (Stopwatch.GetElapsedTime(startedAt) >= HostProber.Grace)
            {
                continue; // On a machine that is busy enough, the word of the old one might not be kept back for long enough.
            }

            prompt++;
            Assert.AreEqual(New, node);
            await Poll.UntilAsync(
                () => ClusterOf(bed)[HostOf(bed, Old)].Role is HostRole.SupersededPrimary,
                TimeSpan.FromSeconds(30),
                () => $"The old one counts as {ClusterOf(bed)[HostOf(bed, Old)].Role}",
                Cancellation);
        }
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task A_unit_on_the_old_primary_is_not_committed_there_once_the_new_one_was_seen(bool async)
    {
        await using var bed = await HostProxies.CreateAsync(_cluster);
        bed.Nodes[New].RefuseConnections();
        await using var context = Context(bed);
        var name = Guid.NewGuid().ToString();
        var nodes = new List<int>();

        async Task WorkAsync()
        {
            context.Items.Add(new CounterContext.Item { Name = name });
            await context.SaveAsync(async, Cancellation);
            nodes.Add(await context.NodeAsync(bed.Cluster, async, Cancellation));
            if (nodes.Count == 1)
            {
                bed.Nodes[New].AcceptConnections();
                ClusterOf(bed).Forget(HostOf(bed, Old)); // As after any loss of a connection to it.
                await using var other = Context(bed);
                Assert.AreEqual(New, await other.NodeAsync(bed.Cluster, async: true, Cancellation));
            }
        }

        if (async)
        {
            await context.Database.ExecuteInTransactionScopeAsync(_ => WorkAsync(), cancellationToken: Cancellation);
        }
        else
        {
            context.Database.ExecuteInTransactionScope(() => WorkAsync().GetAwaiter().GetResult());
        }

        CollectionAssert.AreEqual(new[] { Old, New }, nodes);
        Assert.AreEqual(0, await ItemsAsync(Old, name));
        Assert.AreEqual(1, await ItemsAsync(New, name));
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Who_saw_the_new_primary_waits_for_it_and_does_not_write_to_the_old_one(bool async)
    {
        await using var bed = await HostProxies.CreateAsync(_cluster);
        await using var context = Context(bed, options => options.FailoverTimeout = TimeSpan.FromSeconds(1));
        await SeeTheNewOneAsync(bed, context, async);

        var name = Guid.NewGuid().ToString();
        context.Items.Add(new CounterContext.Item { Name = name });
        var error = await Assert.ThrowsAsync<Exception>(() => context.SaveAsync(async, Cancellation));
        StringAssert.Contains(error.ToString(), "a primary with a higher timeline has taken its place", StringComparison.Ordinal);
        Assert.AreEqual(0, await ItemsAsync(Old, name));
    }

    [TestMethod]
    public async Task Who_reads_from_any_host_leads_nobody_to_the_old_primary()
    {
        await using var bed = await HostProxies.CreateAsync(_cluster);
        await using var writer = Context(bed, options => options.FailoverTimeout = TimeSpan.FromSeconds(1));
        await SeeTheNewOneAsync(bed, writer, async: true);

        await using var reader = Context(bed, options => options.TargetSession = TargetSession.Any);
        Assert.AreEqual(Old, await reader.NodeAsync(bed.Cluster, async: true, Cancellation));
        Assert.AreNotEqual(HostOf(bed, Old), ClusterOf(bed).Primary);
        await Assert.ThrowsAsync<Exception>(() => writer.NodeAsync(bed.Cluster, async: true, Cancellation));
    }

    // And then it is gone. The old one is out of reach meanwhile: on a machine that is busy enough, its word might not be kept back for long enough.
    private async Task SeeTheNewOneAsync(HostProxies bed, CounterContext context, bool async)
    {
        bed.Nodes[Old].RefuseConnections();
        Assert.AreEqual(New, await context.NodeAsync(bed.Cluster, async, Cancellation));
        bed.Nodes[Old].AcceptConnections();
        bed.Nodes[New].RefuseConnections();
        bed.Nodes[New].FailAll(FaultAction.Reset);
    }

    private static CounterContext Context(HostProxies bed, Action<DbRetryOptions>? configure = null)
        => HostBed.Context(bed.Through([Old, New]), options =>
        {
            options.TargetSession = TargetSession.ReadWrite;
            configure?.Invoke(options);
        });

    private static Cluster ClusterOf(HostProxies bed) => ClusterRegistry.Get(bed.Nodes.Select(node => new HostEndpoint("127.0.0.1", node.Port)));

    private static int HostOf(HostProxies bed, int node) => ClusterOf(bed).Hosts.IndexOf(new HostEndpoint("127.0.0.1", bed.Nodes[node].Port));

    private async Task<long> ItemsAsync(int node, string name)
    {
        await using var admin = await _cluster!.AdminConnectionAsync(node, cancellationToken: Cancellation);
        await using var command = new Npgsql.NpgsqlCommand("select count(*) from items where name = $1", admin) { Parameters = { new() { Value = name } } };
        return (long)(await command.ExecuteScalarAsync(Cancellation))!;
    }
}
