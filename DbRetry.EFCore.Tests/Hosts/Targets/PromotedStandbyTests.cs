using System.Collections.Concurrent;
using DbRetry.EFCore.Hosts.Positions;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Hosts.Targets;

/// <summary>Standbys are promoted, and former primaries come back as standbys, in earnest, while others read.</summary>
[TestClass]
public sealed class PromotedStandbyTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private static StandbyBed? _bed;

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    private static LocalCluster Cluster => _bed!.Cluster;

    private static int[] Standbys => [.. Enumerable.Range(0, 3).Where(node => node != Cluster.PrimaryIndex)];

    [ClassInitialize]
    public static async Task StartAsync(TestContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        _bed = await StandbyBed.StartAsync(context.CancellationToken);
    }

    [ClassCleanup]
    public static async Task StopAsync()
    {
        if (_bed is not null)
        {
            await _bed.DisposeAsync();
        }
    }

    [TestInitialize]
    public async Task AllNodesAsync()
    {
        SharedCluster.RequireLocal();
        foreach (var node in Standbys.Where(node => !Cluster.IsRunning(node)))
        {
            await Cluster.RejoinAsync(node, Cancellation);
        }

        await Cluster.WaitForStandbysAsync(2, Cancellation);
    }

    [TestMethod]
    public async Task Readers_notice_nothing_of_a_promotion_and_are_served_by_all_standbys_in_the_end()
    {
        var served = new ConcurrentQueue<(TargetSession Target, int Node)>();
        var errors = new ConcurrentQueue<Exception>();
        using var stop = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 8)
            .Select(reader => Task.Run(() => ReadAsync(reader % 2 == 0 ? TargetSession.Standby : TargetSession.PreferStandby, async: reader < 4), Cancellation))
            .ToArray();
        await UntilServedByAsync(Standbys);

        var old = Cluster.PrimaryIndex;
        await Cluster.KillAsync(old, Cancellation);
        await Cluster.FailoverAsync(Cancellation);
        await UntilServedByAsync(Standbys.Where(node => node != old));

        await Cluster.RejoinAsync(old, Cancellation);
        await UntilServedByAsync(Standbys);
        await stop.CancelAsync();
        await Task.WhenAll(readers);
        Assert.IsEmpty(errors, string.Join(Environment.NewLine, errors.Take(3)));

        async Task ReadAsync(TargetSession target, bool async)
        {
            while (!stop.IsCancellationRequested && errors.IsEmpty)
            {
                try
                {
                    await using var context = Context(options => options.TargetSession = target);
                    served.Enqueue((target, await context.NodeAsync(Cluster, async, CancellationToken.None)));
                }
                catch (Exception exception)
                {
                    errors.Enqueue(exception);
                }
            }
        }

        Task UntilServedByAsync(IEnumerable<int> nodes)
        {
            var expected = (from node in nodes from target in new[] { TargetSession.Standby, TargetSession.PreferStandby } select (target, node)).ToHashSet();
            return Poll.UntilAsync(
                async () =>
                {
                    served.Clear();
                    await Poll.UntilAsync(() => served.Count >= 200 || !errors.IsEmpty, Limit, () => "nobody is served", Cancellation);
                    return !errors.IsEmpty || expected.SetEquals(served);
                },
                Limit,
                () => string.Join(' ', served.CountBy(read => read)),
                Cancellation);
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_transaction_on_a_standby_goes_on_when_that_is_promoted(bool async)
    {
        await using var context = Context(options => options.TargetSession = TargetSession.Standby);
        await using (var transaction = await context.BeginAsync(async))
        {
            var node = await context.NodeAsync(Cluster, async, Cancellation);
            var old = Cluster.PrimaryIndex;
            await Cluster.KillAsync(old, Cancellation);
            await Cluster.PromoteAsync(node, Cancellation);
            Assert.AreEqual(node, await context.NodeAsync(Cluster, async, Cancellation));
            await transaction.CommitAsync(async);
        }

        await using (var writer = Context(options => options.TargetSession = TargetSession.ReadWrite))
        {
            Assert.AreEqual(Cluster.PrimaryIndex, await writer.NodeAsync(Cluster, async, Cancellation));
        }

        Assert.AreNotEqual(Cluster.PrimaryIndex, await context.NodeAsync(Cluster, async, Cancellation), "Now it is known, and there is another standby.");
    }

    [TestMethod]
    [DataRow("postgres")]
    [DataRow("plain", DisplayName = "a role without privileges")]
    public async Task What_was_written_before_and_after_a_failover_is_read_from_standbys_that_have_followed(string role)
    {
        await using var context = Context(
            options =>
            {
                options.TargetSession = TargetSession.PreferStandby;
                options.ReadYourWrites = true;
            },
            role);
        await context.IncrementAsync(async: true);
        await Cluster.WaitForReplayAsync(Cancellation);
        var before = await context.Database.GetLastCommitPositionAsync(Cancellation);
        var old = Cluster.PrimaryIndex;
        await Cluster.KillAsync(old, Cancellation);
        await Cluster.FailoverAsync(Cancellation);
        await context.IncrementAsync(async: true);
        var after = await context.Database.GetLastCommitPositionAsync(Cancellation);
        Assert.AreEqual(before!.Value.Timeline + 1, after!.Value.Timeline);
        var written = await context.Counters.Select(counter => counter.N).SingleAsync(Cancellation);

        if (role is not "postgres")
        {
            // It must not see what the standby receives, and is served by the primary until the standby has made a checkpoint of its own.
            await CheckpointAsync(Cluster.PrimaryIndex);
        }

        var standby = Standbys.Single(node => node != old);
        await Poll.UntilAsync(
            async () =>
            {
                if (role is not "postgres")
                {
                    await CheckpointAsync(standby);
                }

                Assert.AreEqual(written, await context.Counters.Select(counter => counter.N).SingleAsync(Cancellation));
                return await context.NodeAsync(Cluster, async: true, Cancellation) == standby;
            },
            Limit,
            () => "the standby that has followed serves nobody",
            Cancellation);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_standby_that_cannot_follow_is_not_taken_for_one_that_has_replayed_more(bool async)
    {
        var (old, next, left) = (Cluster.PrimaryIndex, Standbys[0], Standbys[1]);
        await using (var standby = await Cluster.AdminConnectionAsync(next, cancellationToken: Cancellation))
        {
            await standby.ExecuteAsync("alter system set primary_conninfo = ''", Cancellation);
            await standby.ExecuteAsync("select pg_reload_conf()", Cancellation);
            await Poll.UntilAsync(
                async () => (long)(await standby.ScalarAsync("select count(*) from pg_stat_wal_receiver", Cancellation))! == 0,
                Limit,
                () => $"node {next} still receives",
                Cancellation);
        }

        // The other standby has all of this, and the one that is promoted nothing.
        await using (var primary = await Cluster.AdminConnectionAsync(old, cancellationToken: Cancellation))
        {
            await primary.ExecuteAsync("select pg_logical_emit_message(true, 'x', repeat('y', 4000000))", Cancellation);
            var written = await primary.ScalarAsync("select pg_current_wal_flush_lsn()::text", Cancellation);
            await using var standby = await Cluster.AdminConnectionAsync(left, cancellationToken: Cancellation);
            await Poll.UntilAsync(
                async () => (bool)(await standby.ScalarAsync($"select pg_last_wal_replay_lsn() >= '{written}'", Cancellation))!,
                Limit,
                () => $"node {left} has not replayed {written}",
                Cancellation);
        }

        await Cluster.KillAsync(old, Cancellation);
        await Cluster.PromoteAsync(next, Cancellation);
        await using (var primary = await Cluster.AdminConnectionAsync(next, cancellationToken: Cancellation))
        {
            await primary.ExecuteAsync("alter system reset primary_conninfo", Cancellation);
        }

        try
        {
            await using var context = Context(options => options.TargetSession = TargetSession.PreferStandby);
            await context.IncrementAsync(async);
            var written = await context.Database.GetLastCommitPositionAsync(Cancellation);
            await using var standby = await Cluster.AdminConnectionAsync(left, cancellationToken: Cancellation);
            var state = (await PositionQueries.ReplayedAsync(standby, Limit, Cancellation))!.Value;
            Assert.IsGreaterThan(written!.Value.Lsn, state.ReplayedLsn!.Value);
            Assert.IsNotNull(state.WhyNot(written.Value));

            Assert.AreEqual(left, await context.NodeAsync(Cluster, async, Cancellation), "Nothing is wrong with it for those who do not ask.");
            using var scope = context.Database.UseTargetSession(TargetSession.PreferStandby, written);
            Assert.AreEqual(next, await context.NodeAsync(Cluster, async, Cancellation));
        }
        finally
        {
            await Cluster.KillAsync(left, Cancellation);
        }
    }

    private static CounterContext Context(Action<DbRetryOptions> configure, string role = "postgres") => _bed!.Context(configure, role);

    private async Task CheckpointAsync(int node)
    {
        await using var admin = await Cluster.AdminConnectionAsync(node, cancellationToken: Cancellation);
        await admin.ExecuteAsync("checkpoint", Cancellation);
    }
}
