using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Targets;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Commits;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts.Herd;

/// <summary>All who have lost their connections want new ones at the same time, from a host that has just become the primary.</summary>
[TestClass]
public sealed class ConnectionHerdTests
{
    private const int Callers = 8;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongEnough = TimeSpan.FromSeconds(1);
    private static readonly RetrySettings Settings = RetrySettings.From(new DbRetryOptions { TargetSession = TargetSession.Primary });

    private readonly ManualTime _time = new();

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Eight_callers_are_served_by_two_new_connections_while_these_come_back(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        var (route, _) = await LostAsync(bed);
        var before = bed.Nodes[0].ConnectionCount;

        await Task.WhenAll(Enumerable.Range(0, Callers).Select(_ => Begin(async, () => WorkAsync(route, async))));

        Assert.AreEqual(2, bed.Nodes[0].ConnectionCount - before);
    }

    [TestMethod]
    public async Task Callers_who_keep_their_connections_get_one_each()
    {
        await using var bed = await HostProxies.CreateAsync();
        var (route, primary) = await LostAsync(bed);
        var everybody = new TaskCompletionSource();
        var open = 0;
        var before = bed.Nodes[0].ConnectionCount;

        var work = Enumerable.Range(0, Callers).Select(_ => WorkAsync(route, async: true, HoldAsync)).ToArray();
        await UntilAsync(() => Volatile.Read(ref open) == 2 && route.Herd.Start(primary, _time)?.Waiting == Callers - 2);
        _time.Advance(LongEnough);

        await Task.WhenAll(work);
        Assert.AreEqual(Callers, bed.Nodes[0].ConnectionCount - before);

        Task HoldAsync()
        {
            if (Interlocked.Increment(ref open) == Callers)
            {
                everybody.SetResult();
            }

            return everybody.Task;
        }
    }

    [TestMethod]
    public async Task Nobody_waits_for_his_turn_unless_the_primary_was_lost_while_he_knew_it()
    {
        await using var bed = await HostProxies.CreateAsync();
        var route = bed.Route(Settings, _time);
        FindPrimary(route, 0);
        Assert.IsNull(route.Herd.Start(0, _time), "It is the first primary that this process knows.");

        FindPrimary(route, 0, wasAway: false);
        Assert.IsNull(route.Herd.Start(0, _time), "One has lost a connection, but the primary was there all the time.");

        FindPrimary(route, 0);
        Assert.IsNotNull(route.Herd.Start(0, _time));
        Assert.IsNull(route.Herd.Start(1, _time), "It is not the primary.");
        Assert.IsNull(bed.Route(Settings, _time).Herd.Start(0, _time), "This one has lost nothing.");

        _time.Advance(LongEnough);
        Assert.IsNull(route.Herd.Start(0, _time), "It is over.");
        FindPrimary(route, 1, wasAway: false);
        Assert.IsNotNull(route.Herd.Start(1, _time), "It is another one.");
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task A_context_that_closes_its_connection_lets_the_next_one_in_once(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        await using var context = HostBed.Context(bed.ConnectionString, more: builder => builder.ReplaceService<TimeProvider, ManualTime>());
        await context.NodeAsync(bed.Cluster, async, Cancellation);
        var (route, primary) = context.GetService<AttemptLog>().Host!.Value;
        FindPrimary(route, primary);
        var start = route.Herd.Start(primary, context.GetService<TimeProvider>())!;
        await start.EnterAsync(Cancellation);
        await (async ? context.Database.OpenConnectionAsync(Cancellation) : Task.Run(context.Database.OpenConnection, Cancellation));
        var next = start.EnterAsync(Cancellation);
        var last = start.EnterAsync(Cancellation);
        Assert.AreEqual(2, start.Waiting);

        await (async ? context.Database.CloseConnectionAsync() : Task.Run(context.Database.CloseConnection, Cancellation));
        await next;
        await context.DisposeAsync();

        Assert.AreEqual(1, start.Waiting, "EF Core closes what is closed already.");
        Assert.IsFalse(last.IsCompleted);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Who_asks_what_became_of_a_COMMIT_waits_for_his_turn_and_lets_the_next_one_in(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        var (route, primary) = await LostAsync(bed);
        var start = route.Herd.Start(primary, _time)!;
        await start.EnterAsync(Cancellation);
        await start.EnterAsync(Cancellation);
        var lost = new NpgsqlConnection();
        route.Bind(lost, primary);
        var verifier = new CommitVerifier(
            new StatusProof(Incarnations.Identity(Incarnations.Then)), route, primary, lost, Settings, _time, new Random(1), since: -TimeSpan.FromHours(1).Ticks);

        var verifying = Begin(async, async () => _ = async ? await verifier.VerifyAsync(Cancellation) : verifier.Verify());
        await UntilAsync(() => start.Waiting == 1);
        start.Returned();
        await verifying;

        Assert.IsTrue(start.EnterAsync(Cancellation).IsCompletedSuccessfully);
    }

    // As if the primary had been lost, and found again.
    private async Task<(HostRoute Route, int Primary)> LostAsync(HostProxies bed)
    {
        var route = bed.Route(Settings, _time);
        var primary = bed.HostOf(route, 0);
        FindPrimary(route, primary);
        await WorkAsync(route, async: true);
        route.ClearPool(primary);
        FindPrimary(route, primary);
        return (route, primary);
    }

    private static void FindPrimary(HostRoute route, int host, bool wasAway = true)
    {
        var before = route.Cluster.Primary < 0 ? host : route.Cluster.Primary;
        route.Cluster.Forget(before);
        if (wasAway)
        {
            route.Cluster.Missed(before);
        }

        route.Cluster.Saw(host, new HostSighting(HostRole.Primary, route.Cluster.NewestTimeline));
    }

    private static Task Begin(bool async, Func<Task> work)
        => async ? work() : Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();

    private async Task WorkAsync(HostRoute route, bool async, Func<Task>? meanwhile = null)
    {
        var opener = new HostOpener(_time, new Random(1));
        await using var connection = new NpgsqlConnection();
        var host = async
            ? await opener.OpenAsync(connection, route, new WantedSession(route.Target), Settings, new AttemptLog(), Cancellation)
            : opener.Open(connection, route, new WantedSession(route.Target), Settings, new AttemptLog());
        await connection.ScalarAsync("select 1", Cancellation);
        await (meanwhile?.Invoke() ?? Task.CompletedTask);
        await connection.CloseAsync();
        host.Returned();
    }

    private Task UntilAsync(Func<bool> condition) => Poll.UntilAsync(condition, Limit, () => "not everybody has come as far", Cancellation);
}
