using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts.Silence;

/// <summary>A server is frozen: its kernel goes on accepting connections, and nobody answers. No command here has a timeout of its own.</summary>
[TestClass]
public sealed class SilentHostTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestInitialize]
    public void RequireLocal() => SharedCluster.RequireLocal();

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task A_unit_on_a_frozen_primary_runs_again_on_the_one_that_was_promoted(bool async)
    {
        await using var cluster = await SharedCluster.OwnAsync(new LocalClusterOptions { Nodes = 2 }, Cancellation);
        await PrepareAsync(cluster);
        await using var context = Context(cluster);
        var nodes = new List<int>();
        Task? promotion = null;

        await UnitAsync(context, async, async () =>
        {
            nodes.Add(await context.NodeAsync(cluster, async, Cancellation));
            context.Items.Add(new CounterContext.Item { Name = "once" });
            await context.SaveAsync(async, Cancellation);
            if (nodes.Count == 1)
            {
                cluster.Freeze(0);
                promotion = Task.Run(() => cluster.PromoteAsync(1, Cancellation), Cancellation);
            }
        });

        await promotion!;
        CollectionAssert.AreEqual(new[] { 0, 1 }, nodes);
        await AssertOnceAsync(cluster, node: 1);
        cluster.Thaw(0);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task A_unit_on_a_server_that_was_frozen_for_a_while_runs_again_there(bool async)
    {
        await using var cluster = await SharedCluster.OwnAsync(cancellationToken: Cancellation);
        await PrepareAsync(cluster);
        await using var context = Context(cluster);
        var attempts = 0;
        Task? thaw = null;

        await UnitAsync(context, async, async () =>
        {
            context.Items.Add(new CounterContext.Item { Name = "once" });
            await context.SaveAsync(async, Cancellation);
            if (++attempts == 1)
            {
                cluster.Freeze(0);
                var watch = ClusterOf(cluster).Watch;
                thaw = Task.Run(
                    async () =>
                    {
                        await Poll.UntilAsync(() => watch.Abandoned > 0, TimeSpan.FromSeconds(60), () => "It was not given up.", Cancellation);
                        cluster.Thaw(0);
                    },
                    Cancellation);
            }

            await context.PortAsync(async, Cancellation);
        });

        await thaw!;
        Assert.AreEqual(2, attempts);
        await AssertOnceAsync(cluster, node: 0);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task A_command_that_is_merely_slow_is_left_alone(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = HostBed.Context($"{bed.ConnectionString};Command Timeout=0", Quick);
        var watch = ClusterRegistry.Get([new HostEndpoint("127.0.0.1", bed.Proxy.Port)]).Watch;

        await context.SqlAsync(async, "select pg_sleep(4)");

        Assert.AreEqual(0, watch.Abandoned);
        Assert.IsGreaterThan(1, bed.Proxy.ConnectionCount, "The server was asked whether it is there.");
        Assert.IsLessThanOrEqualTo(12, bed.Proxy.ConnectionCount, "And it was not asked often.");
        await Poll.UntilAsync(() => !watch.IsRunning, TimeSpan.FromSeconds(30), () => "It watches though nobody waits.", Cancellation);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task A_command_that_is_merely_slow_is_left_alone_after_a_look_at_the_other_hosts(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        await using var context = HostBed.Context($"{bed.ConnectionString};Command Timeout=0", options =>
        {
            Quick(options);
            options.TargetSession = TargetSession.ReadWrite;
        });
        var cluster = ClusterRegistry.Get(bed.Nodes.Select(node => new HostEndpoint("127.0.0.1", node.Port)));
        Assert.AreEqual(0, await context.NodeAsync(bed.Cluster, async, Cancellation));
        var before = bed.Nodes[1].ConnectionCount;

        await context.SqlAsync(async, "select pg_sleep(4)");

        Assert.AreEqual(0, cluster.Watch.Abandoned);
        Assert.IsGreaterThan(before, bed.Nodes[1].ConnectionCount, "Another one may have taken its place.");
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task A_host_that_leaves_a_single_probe_unanswered_is_not_given_up(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = HostBed.Context($"{bed.ConnectionString};Command Timeout=0", Quick);
        var watch = ClusterRegistry.Get([new HostEndpoint("127.0.0.1", bed.Proxy.Port)]).Watch;
        await context.Database.OpenConnectionAsync(Cancellation);
        var before = bed.Proxy.ConnectionCount;
        bed.Proxy.IgnoreConnections();

        var probed = ProbedAsync();
        await context.SqlAsync(async, "select pg_sleep(4)");
        await probed;

        Assert.AreEqual(0, watch.Abandoned);
        Assert.IsGreaterThan(before + 1, bed.Proxy.ConnectionCount, "It was asked again.");

        async Task ProbedAsync()
        {
            await Poll.UntilAsync(
                () => bed.Proxy.ConnectionCount > before, TimeSpan.FromSeconds(30), () => "The server was not asked whether it is there.", Cancellation);
            bed.Proxy.AcceptConnections();
        }
    }

    [TestMethod]
    public async Task Whoever_does_not_want_it_waits_for_his_own_timeout()
    {
        await using var cluster = await SharedCluster.OwnAsync(cancellationToken: Cancellation);
        await PrepareAsync(cluster);
        await using var context = Context(cluster, options => options.AbandonSilentHosts = false);
        await context.Database.OpenConnectionAsync(Cancellation);
        cluster.Freeze(0);
        var thaw = Task.Delay(TimeSpan.FromSeconds(4), Cancellation).ContinueWith(
            _ =>
            {
                Assert.IsFalse(ClusterOf(cluster).Watch.IsRunning);
                cluster.Thaw(0);
            },
            Cancellation,
            TaskContinuationOptions.None,
            TaskScheduler.Default);
        Assert.AreEqual(cluster.Port(0), await context.PortAsync(async: true, Cancellation));
        Assert.IsTrue(thaw.IsCompleted, "It was answered by the thawed server.");
        await thaw;
    }

    private static void Quick(DbRetryOptions options)
    {
        RetryBed.Quick(options);
        options.AbandonSilentHosts = true;
        options.HostTimeout = TimeSpan.FromSeconds(1);
    }

    private static CounterContext Context(LocalCluster cluster, Action<DbRetryOptions>? configure = null)
    {
        var nodes = Enumerable.Range(0, cluster.NodeCount).ToArray();
        return HostBed.Context($"{cluster.ConnectionString("postgres", nodes)};Command Timeout=0", options =>
        {
            Quick(options);
            options.TargetSession = TargetSession.ReadWrite;
            configure?.Invoke(options);
        });
    }

    private static Cluster ClusterOf(LocalCluster cluster)
        => ClusterRegistry.Get(Enumerable.Range(0, cluster.NodeCount).Select(node => new HostEndpoint("127.0.0.1", cluster.Port(node))));

    private static async Task UnitAsync(DbContext context, bool async, Func<Task> work)
    {
        if (async)
        {
            await context.Database.ExecuteInTransactionScopeAsync(_ => work());
        }
        else
        {
            await Task.Run(() => context.Database.ExecuteInTransactionScope(() => work().GetAwaiter().GetResult()));
        }
    }

    private async Task PrepareAsync(LocalCluster cluster)
    {
        await using var admin = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation);
        await admin.ExecuteAsync(CounterContext.Schema, Cancellation);
        await cluster.WaitForReplayAsync(Cancellation);
    }

    private async Task AssertOnceAsync(LocalCluster cluster, int node)
    {
        await using var admin = await cluster.AdminConnectionAsync(node, cancellationToken: Cancellation);
        await using var command = new NpgsqlCommand("select count(*) from items", admin);
        Assert.AreEqual(1L, await command.ExecuteScalarAsync(Cancellation));
    }
}
