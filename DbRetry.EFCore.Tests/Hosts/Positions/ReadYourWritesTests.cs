using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Positions;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts.Positions;

/// <summary>Standbys that lag, in earnest. Node 0 is the primary, 1 and 2 are standbys whose replay can be paused.</summary>
[TestClass]
public sealed class ReadYourWritesTests
{
    private const int PageSize = 8192;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private static StandbyBed? _bed;

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    private static LocalCluster Cluster => _bed!.Cluster;

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
    public async Task AllReplayAsync()
    {
        SharedCluster.RequireLocal();
        await ResumeAsync(1, 2);
        await Cluster.WaitForReplayAsync(Cancellation);
    }

    [TestMethod]
    [DataRow(false, "postgres")]
    [DataRow(true, "postgres")]
    [DataRow(true, "plain", DisplayName = "a role without privileges")]
    public async Task A_context_sees_what_it_wrote_and_passes_over_the_standby_that_lags(bool async, string role)
    {
        await PauseAsync(1);
        var served = new HashSet<int>();
        await Poll.UntilAsync(
            async () =>
            {
                await using var context = Context(options => options.ReadYourWrites = true, role);
                var name = await WriteAsync(context, async);
                await ReplayedAsync(2, name);
                Assert.AreEqual(1L, await FindAsync(context, name, async));
                served.Add(await context.NodeAsync(Cluster, async, Cancellation));
                return served.Count == 2 || served.Contains(2);
            },
            Limit,
            () => "the standby that does not lag serves nobody",
            Cancellation);
        Assert.DoesNotContain(1, served);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task When_all_standbys_lag_the_primary_serves_what_the_context_wrote(bool async)
    {
        await PauseAsync(1, 2);
        for (var i = 0; i < 5; i++)
        {
            await using var context = Context(options => options.ReadYourWrites = true);
            Assert.AreNotEqual(0, await context.NodeAsync(Cluster, async, Cancellation), "It has written nothing yet.");
            var name = await WriteAsync(context, async);
            Assert.AreEqual(1L, await FindAsync(context, name, async));
            Assert.AreEqual(0, await context.NodeAsync(Cluster, async, Cancellation));
        }
    }

    [TestMethod]
    [DataRow("update")]
    [DataRow("sql")]
    [DataRow("unit")]
    [DataRow("alone")]
    public async Task Whatever_writes_is_seen(string write)
    {
        await PauseAsync(1, 2);
        await using var context = Context(options =>
        {
            options.ReadYourWrites = true;
            options.CommitVerification = write is "alone" ? CommitVerification.None : CommitVerification.TransactionStatus;
        });
        var before = await context.Counters.Select(counter => counter.N).SingleAsync(Cancellation);
        switch (write)
        {
            case "update":
                await context.IncrementAsync(async: true);
                break;
            case "unit":
                await context.Database.ExecuteInTransactionScopeAsync(_ => context.IncrementAsync(async: true), cancellationToken: Cancellation);
                break;
            default:
                await context.SqlAsync(async: true, "update counters set n = n + 1");
                break;
        }

        Assert.AreEqual(before + 1, await context.Counters.Select(counter => counter.N).SingleAsync(Cancellation));
        await using var without = Context();
        Assert.AreEqual(before, await without.Counters.Select(counter => counter.N).SingleAsync(Cancellation), "That is what a lagging standby shows.");
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_position_goes_along_with_a_request(bool async)
    {
        await PauseAsync(1, 2);
        string token;
        string name;
        await using (var writer = Context())
        {
            name = await WriteAsync(writer, async);
            var position = async ? await writer.Database.GetLastCommitPositionAsync(Cancellation) : writer.Database.GetLastCommitPosition();
            token = position.ToString()!;
        }

        await using var reader = Context();
        Assert.AreEqual(0L, await FindAsync(reader, name, async), "It does not know of the write.");
        using (reader.Database.UseTargetSession(TargetSession.PreferStandby, CommitPosition.Parse(token)))
        {
            Assert.AreEqual(1L, await FindAsync(reader, name, async));
            Assert.AreEqual(0, await reader.NodeAsync(Cluster, async, Cancellation));
            await ResumeAsync(2);
            await Poll.UntilAsync(
                async () => await reader.NodeAsync(Cluster, async, Cancellation) is 2, Limit, () => "the standby that caught up serves nobody", Cancellation);
            Assert.AreEqual(1L, await FindAsync(reader, name, async));
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Who_insists_on_a_standby_waits_until_one_has_caught_up(bool async)
    {
        await PauseAsync(1, 2);
        var reading = Task.Run(WriteAndReadAsync, Cancellation);
        var prober = ClusterRegistry.Get(Enumerable.Range(0, 3).Select(node => new HostEndpoint("127.0.0.1", Cluster.Port(node)))).Prober;
        await Poll.UntilAsync(() => prober.Waiting > 0 || reading.IsCompleted, Limit, () => "nobody waits", Cancellation);
        Assert.IsFalse(reading.IsCompleted);

        await ResumeAsync(1);

        Assert.AreEqual((1L, 1), await reading);

        async Task<(long Found, int Node)> WriteAndReadAsync()
        {
            await using var context = Context(options => options.ReadYourWrites = true);
            var name = await WriteAsync(context, async);
            using var scope = context.Database.UseTargetSession(TargetSession.Standby);
            return (await FindAsync(context, name, async), await context.NodeAsync(Cluster, async, Cancellation));
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Who_insists_on_a_standby_in_vain_hears_how_far_each_of_them_is(bool async)
    {
        await PauseAsync(1, 2);
        await using var context = Context(options =>
        {
            options.ReadYourWrites = true;
            options.FailoverTimeout = TimeSpan.FromMilliseconds(300);
        });
        var name = await WriteAsync(context, async);
        using var scope = context.Database.UseTargetSession(TargetSession.Standby);
        var error = await Assert.ThrowsAsync<RetryLimitExceededException>(() => FindAsync(context, name, async));
        var hosts = Assert.IsInstanceOfType<NoSuitableHostException>(error.InnerException).Hosts;
        Assert.HasCount(2, hosts.Where(host => host.Reason.StartsWith("it has replayed up to ", StringComparison.Ordinal)), error.ToString());
    }

    [TestMethod]
    public async Task A_standby_that_has_replayed_a_record_which_fills_its_page_does_not_lag()
    {
        await using var primary = await _bed!.AdminAsync(0, Cancellation);
        await using var standby = await _bed!.AdminAsync(1, Cancellation);
        for (var i = 0; i < 20; i++)
        {
            var insert = await FillPageAsync(primary);
            var position = (await PositionQueries.ReadAsync(primary, Limit, Cancellation))!.Value;
            var replayed = 0L;
            await Poll.UntilAsync(
                async () => (replayed = (await PositionQueries.ReplayedAsync(standby, Limit, Cancellation))!.Value.ReplayedLsn!.Value) >= position.Lsn,
                Limit,
                () => $"{replayed} is replayed, {insert} is written",
                Cancellation);
            if (insert % PageSize is 24 or 40 && position.Lsn < insert && replayed < insert)
            {
                Assert.AreEqual(position.Lsn, replayed, "It ends before the header, and the next one begins behind it.");
                return;
            }
        }

        Assert.Fail("Others wrote all the time.");
    }

    // A message of a length that makes it end with its page; another process may write in between.
    private async Task<long> FillPageAsync(NpgsqlConnection primary)
    {
        const int Probe = 1000;
        var start = await InsertAsync(primary);
        if (start % PageSize > PageSize / 4)
        {
            await EmitAsync(primary, PageSize - (int)(start % PageSize));
            start = await InsertAsync(primary);
        }

        await EmitAsync(primary, Probe);
        var end = await InsertAsync(primary);
        await EmitAsync(primary, (int)(PageSize - (end % PageSize) - (end - start - Probe)));
        return await InsertAsync(primary);
    }

    private Task EmitAsync(NpgsqlConnection primary, int length)
        => primary.ExecuteAsync($"select pg_logical_emit_message(false, 'x', repeat('y', {length}))", Cancellation);

    private async Task<long> InsertAsync(NpgsqlConnection primary)
        => (long)(await primary.ScalarAsync("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::int8", Cancellation))!;

    private static CounterContext Context(Action<DbRetryOptions>? configure = null, string role = "postgres")
        => _bed!.Context(
            options =>
            {
                options.TargetSession = TargetSession.PreferStandby;
                configure?.Invoke(options);
            },
            role);

    private async Task<string> WriteAsync(CounterContext context, bool async)
    {
        var name = $"{Guid.NewGuid()}";
        context.Items.Add(new CounterContext.Item { Name = name });
        Assert.AreEqual(1, await context.SaveAsync(async, Cancellation));
        return name;
    }

    private static Task<long> FindAsync(CounterContext context, string name, bool async) => context.Items.Where(item => item.Name == name).CountAsync(async);

    private async Task ReplayedAsync(int node, string name)
    {
        await using var standby = await _bed!.AdminAsync(node, Cancellation);
        await Poll.UntilAsync(
            async () => (bool)(await standby.ScalarAsync($"select exists(select from items where name = '{name}')", Cancellation))!,
            Limit,
            () => $"node {node} does not have {name}",
            Cancellation);
    }

    private async Task PauseAsync(params IEnumerable<int> nodes)
    {
        foreach (var node in nodes)
        {
            await using var standby = await Cluster.AdminConnectionAsync(node, cancellationToken: Cancellation);
            await standby.ExecuteAsync("select pg_wal_replay_pause()", Cancellation);
            await Poll.UntilAsync(
                async () => (string)(await standby.ScalarAsync("select pg_get_wal_replay_pause_state()", Cancellation))! == "paused",
                Limit,
                () => $"node {node} goes on",
                Cancellation);
        }
    }

    private async Task ResumeAsync(params IEnumerable<int> nodes)
    {
        foreach (var node in nodes)
        {
            await using var standby = await Cluster.AdminConnectionAsync(node, cancellationToken: Cancellation);
            await standby.ExecuteAsync("select pg_wal_replay_resume()", Cancellation);
        }
    }
}
