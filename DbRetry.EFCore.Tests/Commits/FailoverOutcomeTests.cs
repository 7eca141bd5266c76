using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>The answer to a COMMIT is lost, and another server becomes the primary: what counts is what that one has.</summary>
[TestClass]
public sealed class FailoverOutcomeTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_commit_that_was_replicated_is_a_success_and_is_not_run_again()
    {
        await using var bed = await BedAsync();
        var writing = await bed.WriteAsync(FaultMoment.AfterProcessed, Cancellation);
        await bed.Cluster.WaitForReplayAsync(Cancellation);
        await FailOverAsync(bed);

        await writing;

        Assert.AreEqual(1, bed.Attempts);
        Assert.AreEqual(1L, await bed.CountAsync(Cancellation));
    }

    [TestMethod]
    public async Task A_commit_that_was_not_replicated_is_run_again_although_the_old_primary_had_it()
    {
        await using var bed = await BedAsync();
        using var held = await bed.Cluster.HoldAsync(0, "walsender", Cancellation);
        var writing = await bed.WriteAsync(FaultMoment.AfterProcessed, Cancellation);
        await FailOverAsync(bed);

        await writing;

        Assert.AreEqual(2, bed.Attempts);
        Assert.AreEqual(1L, await bed.CountAsync(Cancellation));
    }

    [TestMethod]
    public async Task Writes_that_were_replicated_without_their_COMMIT_are_run_again()
    {
        await using var bed = await BedAsync();
        var writing = await bed.WriteAsync(FaultMoment.BeforeForward, Cancellation);
        await bed.FlushAsync(Cancellation);
        await bed.Cluster.WaitForReplayAsync(Cancellation);
        var xid = await bed.RunningIdAsync(Cancellation);
        await FailOverAsync(bed);

        await writing;

        Assert.AreEqual("aborted", await bed.StatusAsync(xid, Cancellation), "The new primary knows the transaction.");
        Assert.AreEqual(2, bed.Attempts);
        Assert.AreEqual(1L, await bed.CountAsync(Cancellation));
    }

    [TestMethod]
    public async Task A_stranger_who_gets_the_same_id_on_the_new_primary_is_not_taken_for_it()
    {
        await using var bed = await BedAsync();
        using var held = await bed.Cluster.HoldAsync(0, "walsender", Cancellation);
        var writing = await bed.WriteAsync(FaultMoment.BeforeForward, Cancellation);
        var xid = await bed.RunningIdAsync(Cancellation);
        await FailOverAsync(bed, async () => await bed.TakeIdAsync(xid, Cancellation));

        await writing;

        Assert.AreEqual(2, bed.Attempts);
        Assert.AreEqual(1L, await bed.CountAsync(Cancellation));
    }

    [TestMethod]
    public async Task Of_two_primaries_the_one_that_was_promoted_last_is_believed()
    {
        await using var bed = await BedAsync();
        using var held = await bed.Cluster.HoldAsync(0, "walsender", Cancellation);
        var writing = await bed.WriteAsync(FaultMoment.AfterProcessed, Cancellation);
        Assert.AreEqual(1L, await bed.CountAsync(Cancellation), "The old primary lives on and has it.");
        await bed.Cluster.PromoteAsync(1, Cancellation);
        bed.Release();

        await writing;

        Assert.AreEqual(1L, await bed.CountAsync(Cancellation), "So has the new one, once.");
    }

    [TestMethod]
    public async Task An_old_primary_that_cannot_be_reached_any_more_does_not_matter()
    {
        await using var bed = await BedAsync();
        using var held = await bed.Cluster.HoldAsync(0, "walsender", Cancellation);
        var writing = await bed.WriteAsync(FaultMoment.AfterProcessed, Cancellation);
        bed.Proxies[0].RefuseConnections();
        await bed.Cluster.PromoteAsync(1, Cancellation);
        bed.Release();

        await writing;

        Assert.AreEqual(2, bed.Attempts);
        Assert.AreEqual(1L, await bed.CountAsync(Cancellation));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_unit_was_applied_twice_when_a_second_successor_had_what_the_first_one_did_not(bool knowsTheFirst)
    {
        await using var bed = await BedAsync(nodes: 3);
        await bed.Cluster.SetAsync(1, "primary_conninfo", string.Empty, Cancellation);
        var writing = await bed.WriteAsync(FaultMoment.AfterProcessed, Cancellation);
        await bed.Cluster.WaitForReplayAsync([2], Cancellation);
        if (!knowsTheFirst)
        {
            await bed.Cluster.SetAsync(2, "primary_conninfo", string.Empty, Cancellation);
        }

        bed.BeforeAttempt = async attempt =>
        {
            if (attempt == 2)
            {
                await bed.WaitForTimelineAsync(2, known: knowsTheFirst, Cancellation);
                await bed.Cluster.KillAsync(1, Cancellation);
                await bed.Cluster.PromoteAsync(2, Cancellation);
            }
        };
        await FailOverAsync(bed);

        var failure = await Assert.ThrowsExactlyAsync<CommitOutcomeUnknownException>(() => writing);

        Assert.AreEqual(1L, await bed.CountAsync(Cancellation));
        StringAssert.Contains(failure.Message, knowsTheFirst ? "(timeline 3) says" : "(timeline 2) says Committed");
        StringAssert.Contains(failure.Message, "timeline 2 does not have it");
    }

    // Nobody gets in before all has happened, so that it is certain what is found.
    private async Task FailOverAsync(FailoverBed bed, Func<Task>? before = null)
    {
        await bed.Cluster.KillAsync(0, Cancellation);
        await bed.Cluster.PromoteAsync(1, Cancellation);
        if (before is not null)
        {
            await before();
        }

        bed.Release();
    }

    private Task<FailoverBed> BedAsync(int nodes = 2) => FailoverBed.CreateAsync(nodes, Cancellation);
}

/// <summary>Some nodes, each behind a proxy of its own, and a unit whose COMMIT is swallowed.</summary>
internal sealed class FailoverBed : IAsyncDisposable
{
    private int _attempts;

    private FailoverBed(LocalCluster cluster)
    {
        Cluster = cluster;
        Proxies = [.. Enumerable.Range(0, cluster.NodeCount).Select(node => FaultProxy.Start(cluster.NodeConnectionString(node)))];
    }

    public LocalCluster Cluster { get; }

    public IReadOnlyList<FaultProxy> Proxies { get; }

    public int Attempts => _attempts;

    /// <summary>What happens before each attempt of the unit.</summary>
    public Func<int, Task> BeforeAttempt { get; set; } = _ => Task.CompletedTask;

    public static async Task<FailoverBed> CreateAsync(int nodes, CancellationToken cancellationToken)
    {
        var cluster = await SharedCluster.OwnAsync(new() { Nodes = nodes }, cancellationToken);
        await using (var admin = await cluster.AdminConnectionAsync(0, cancellationToken: cancellationToken))
        {
            await admin.ExecuteAsync($"{CounterContext.Schema}; create table strangers (i int)", cancellationToken);
        }

        await cluster.WaitForReplayAsync(cancellationToken);
        return new FailoverBed(cluster);
    }

    /// <summary>Starts the unit and returns once its COMMIT is swallowed.</summary>
    public async Task<Task> WriteAsync(FaultMoment moment, CancellationToken cancellationToken)
    {
        Proxies[0].Arm(FaultPoint.AtCommit(moment, FaultAction.BlackHole));
        var options = new DbContextOptionsBuilder<CounterContext>()
            .UseNpgsql(FaultProxy.Through(Cluster.NodeConnectionString(0), Proxies)).UseDbRetry(RetryBed.Quick).Options;
        var writing = Task.Run(() => RunAsync(options), cancellationToken);
        await Proxies[0].FirstFault.WaitAsync(cancellationToken);
        if (moment is FaultMoment.AfterProcessed)
        {
            await Poll.UntilAsync(
                async () => await CountAsync(cancellationToken) == 1, TimeSpan.FromSeconds(30), () => "it does not commit", cancellationToken);
        }

        return writing;
    }

    /// <summary>The client learns that its connection is gone.</summary>
    public void Release() => Proxies[0].FailAll(FaultAction.Reset);

    public async Task<long> CountAsync(CancellationToken cancellationToken)
    {
        await using var admin = await Cluster.AdminConnectionAsync(Cluster.PrimaryIndex, cancellationToken: cancellationToken);
        return (long)(await admin.ScalarAsync("select n from counters", cancellationToken))!;
    }

    /// <summary>A standby that can reach the first server of another timeline has heard of it.</summary>
    public async Task WaitForTimelineAsync(int node, bool known, CancellationToken cancellationToken)
    {
        await using var standby = await Cluster.AdminConnectionAsync(node, cancellationToken: cancellationToken);
        await Poll.UntilAsync(
            async () => await standby.ScalarAsync("select exists (select from pg_ls_waldir() where name = '00000002.history')", cancellationToken) is bool knows
                && knows == known,
            TimeSpan.FromSeconds(30),
            () => $"node {node} {(known ? "has not heard" : "has heard")} of it",
            cancellationToken);
    }

    /// <summary>A commit that waits for the disk takes everything before it along.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        await using var admin = await Cluster.AdminConnectionAsync(0, cancellationToken: cancellationToken);
        await admin.ExecuteAsync("insert into strangers values (0)", cancellationToken);
    }

    public async Task<uint> RunningIdAsync(CancellationToken cancellationToken)
    {
        await using var admin = await Cluster.AdminConnectionAsync(0, cancellationToken: cancellationToken);
        return (uint)(await admin.ScalarAsync("select backend_xid from pg_stat_activity where backend_xid is not null", cancellationToken))!;
    }

    public async Task<object?> StatusAsync(uint xid, CancellationToken cancellationToken)
    {
        await using var admin = await Cluster.AdminConnectionAsync(Cluster.PrimaryIndex, cancellationToken: cancellationToken);
        return await admin.ScalarAsync($"select pg_xact_status('{xid}')", cancellationToken);
    }

    public async Task TakeIdAsync(uint xid, CancellationToken cancellationToken)
    {
        await using var stranger = await Cluster.AdminConnectionAsync(Cluster.PrimaryIndex, cancellationToken: cancellationToken);
        while (ulong.Parse((string)(await stranger.ScalarAsync(
            "insert into strangers values (1) returning pg_current_xact_id()::text", cancellationToken))!) < xid)
        {
        }

        Assert.AreEqual("committed", await StatusAsync(xid, cancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var proxy in Proxies)
        {
            await proxy.DisposeAsync();
        }

        await Cluster.DisposeAsync();
    }

    private async Task RunAsync(DbContextOptions<CounterContext> options)
    {
        await using var context = new CounterContext(options);
        await context.Database.CreateExecutionStrategy().RunAsync(async: true, async () =>
        {
            await BeforeAttempt(++_attempts);
            await using var transaction = await context.BeginAsync(async: true);
            await context.IncrementAsync(async: true);
            await transaction.CommitAsync(async: true);
        });
    }
}
