using System.Collections.Concurrent;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>A server that crashes at any moment loses and doubles nothing.</summary>
[TestClass]
public sealed class CrashTests
{
    private const int Crashes = 20;
    private const int Writers = 8;
    private const int Seed = 4711;

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    // Every unit leaves a marker of its own: what was acknowledged and what is there can be compared one by one.
    [TestMethod]
    public async Task Through_twenty_crashes_of_backends_and_machines_every_acknowledged_write_is_there_once()
    {
        await using var cluster = await SharedCluster.OwnAsync(LosesWal, Cancellation);
        await CreateMarkersAsync(cluster);
        var options = Options(cluster.NodeConnectionString(0) + $";Maximum Pool Size={Writers * 2}");
        using var over = new CancellationTokenSource();
        var log = new StormLog();
        Task[] writers = [.. Enumerable.Range(0, Writers).Select(writer => Task.Run(() => WriteAsync(options, writer, log, over.Token), Cancellation))];

        await CrashAsync(cluster, log);
        await over.CancelAsync();
        await Task.WhenAll(writers);

        var found = await MarkersAsync(cluster);
        TestContext.WriteLine($"{log.Acknowledged.Count} acknowledged, {found.Count} found, {log.Unknown.Count} unknown, {log.Failed.Count} failed, {log.Replays} replays");
        Assert.IsEmpty(log.Failed, string.Join(Environment.NewLine, log.Failed.Values.Take(3)));
        Assert.IsEmpty(log.Acknowledged.Keys.Except(found.Keys), "Acknowledged and lost.");
        Assert.IsEmpty(found.Where(marker => marker.Value != 1), "Applied more than once.");
        Assert.IsEmpty(found.Keys.Except(log.Acknowledged.Keys).Except(log.Unknown.Keys), "Applied and not acknowledged.");
        Assert.IsGreaterThan(Crashes, log.Acknowledged.Count);
        Assert.IsGreaterThan(0, log.Replays, "No crash hit anybody.");
    }

    [TestMethod]
    [DataRow(false, false)]
    [DataRow(true, false)]
    [DataRow(false, true)]
    [DataRow(true, true)]
    public async Task A_stranger_who_took_the_id_of_a_lost_transaction_is_not_taken_for_it(bool async, bool machine)
    {
        await using var cluster = await SharedCluster.OwnAsync(LosesWal, Cancellation);
        await CreateMarkersAsync(cluster);
        await using var proxy = FaultProxy.Start(cluster.NodeConnectionString(0));
        proxy.Arm(FaultPoint.AtCommit(FaultMoment.BeforeForward, FaultAction.BlackHole));
        var options = Options(proxy.Through(cluster.NodeConnectionString(0)));
        var held = await cluster.HoldAsync(0, "walwriter", Cancellation);
        var writing = Task.Run(() => WriteOnceAsync(options, Guid.NewGuid(), async, _ => { }), Cancellation);
        await proxy.FirstFault.WaitAsync(Cancellation);
        var xid = await RunningIdAsync(cluster);

        proxy.RefuseConnections();
        if (machine)
        {
            await cluster.KillAsync(0, Cancellation);
            await cluster.StartNodeAsync(0, Cancellation);
        }
        else
        {
            await CrashBackendAsync(cluster, held);
        }

        await TakeIdAsync(cluster, xid);
        proxy.AcceptConnections();
        proxy.FailAll(FaultAction.Reset);
        await writing;

        Assert.AreEqual(1, (await MarkersAsync(cluster)).Single().Value);
        Assert.HasCount(2, proxy.Messages.Where(message => message.IsCommit), "It was run again.");
    }

    // The second recovery hides the first, but somebody in this process has seen that.
    [TestMethod]
    public async Task Nor_is_one_who_did_so_before_the_server_crashed_again()
    {
        await using var cluster = await SharedCluster.OwnAsync(LosesWal, Cancellation);
        await CreateMarkersAsync(cluster);
        await using var proxy = FaultProxy.Start(cluster.NodeConnectionString(0));
        var options = Options(proxy.Through(cluster.NodeConnectionString(0)));
        proxy.Arm(FaultPoint.AtCommit(FaultMoment.BeforeForward, FaultAction.BlackHole));
        using (await cluster.HoldAsync(0, "walwriter", Cancellation))
        {
            var marker = Guid.NewGuid();
            var writing = Task.Run(() => WriteOnceAsync(options, marker, async: true, _ => { }), Cancellation);
            await proxy.FirstFault.WaitAsync(Cancellation);
            var xid = await RunningIdAsync(cluster);
            await cluster.KillAsync(0, Cancellation);
            await cluster.StartNodeAsync(0, Cancellation);
            await TakeIdAsync(cluster, xid);
            await WriteOnceAsync(options, Guid.NewGuid(), async: true, _ => { });
            await FillWalAsync(cluster);
            await cluster.KillAsync(0, Cancellation);
            await cluster.StartNodeAsync(0, Cancellation);

            proxy.FailAll(FaultAction.Reset);
            await writing;
            Assert.AreEqual(1, (await MarkersAsync(cluster)).GetValueOrDefault(marker));
        }
    }

    // The next start recovers what a COMMIT has flushed, and nothing else.
    private static LocalClusterOptions LosesWal => new()
    {
        Settings = new Dictionary<string, string> { ["wal_writer_delay"] = "10s", ["autovacuum"] = "off", ["synchronous_commit"] = "on" },
    };

    private static DbContextOptions<CounterContext> Options(string connectionString)
        => new DbContextOptionsBuilder<CounterContext>().UseNpgsql(connectionString).UseDbRetry(RetryBed.Quick).UseDbRetry(options =>
        {
            options.MaxRetryCount = 20;
            options.MaxReconnectDelay = TimeSpan.FromMilliseconds(20);
        }).Options;

    private static async Task WriteAsync(DbContextOptions<CounterContext> options, int writer, StormLog log, CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            var marker = Guid.NewGuid();
            try
            {
                var attempts = 0;
                await WriteOnceAsync(options, marker, async: writer % 2 == 0, _ => attempts++);
                log.Acknowledged.TryAdd(marker, true);
                log.Attempted(attempts);
            }
            catch (CommitOutcomeUnknownException unknown)
            {
                log.Unknown.TryAdd(marker, unknown);
            }
            catch (Exception failure)
            {
                log.Failed.TryAdd(marker, failure);
            }
        }
    }

    // Markers are not unique in the database: that is what shows that one was applied twice.
    private static async Task WriteOnceAsync(DbContextOptions<CounterContext> options, Guid marker, bool async, Action<int> attempting)
    {
        await using var context = new CounterContext(options);
        await context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            attempting(1);
            await using var transaction = await context.BeginAsync(async);
            await context.SqlAsync(async, $"insert into markers values ('{marker}')");
            await transaction.CommitAsync(async);
        });
    }

    private async Task CrashAsync(LocalCluster cluster, StormLog log)
    {
        var random = new Random(Seed);
        for (var crash = 0; crash < Crashes; crash++)
        {
            var before = log.Acknowledged.Count;
            await Poll.UntilAsync(
                () => log.Acknowledged.Count > before || !log.Failed.IsEmpty, TimeSpan.FromSeconds(60), () => "nobody writes any more", Cancellation);
            await Task.Delay(random.Next(200), Cancellation);
            if (crash % 2 == 0)
            {
                await CrashBackendAsync(cluster, held: null);
            }
            else
            {
                await cluster.KillAsync(0, Cancellation);
                await cluster.StartNodeAsync(0, Cancellation);
            }
        }
    }

    private async Task CrashBackendAsync(LocalCluster cluster, IDisposable? held)
    {
        await using var victim = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation);
        await using var witness = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation);
        cluster.KillBackend(0, victim.ProcessID);
        await Assert.ThrowsAsync<NpgsqlException>(() => witness.ScalarAsync("select pg_sleep(60)", Cancellation));
        held?.Dispose();
        await cluster.WaitForNodeAsync(0, Cancellation);
    }

    private async Task CreateMarkersAsync(LocalCluster cluster)
    {
        await using var admin = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation);
        await admin.ExecuteAsync("create table markers (id uuid not null); create table strangers (i int); checkpoint", Cancellation);
    }

    private async Task<Dictionary<Guid, long>> MarkersAsync(LocalCluster cluster)
    {
        await using var admin = await cluster.AdminConnectionAsync(cluster.PrimaryIndex, cancellationToken: Cancellation);
        await using var command = new NpgsqlCommand("select id, count(*) from markers group by id", admin);
        await using var reader = await command.ExecuteReaderAsync(Cancellation);
        var found = new Dictionary<Guid, long>();
        while (await reader.ReadAsync(Cancellation))
        {
            found.Add(reader.GetGuid(0), reader.GetInt64(1));
        }

        return found;
    }

    private async Task<uint> RunningIdAsync(LocalCluster cluster)
    {
        await using var admin = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation);
        return (uint)(await admin.ScalarAsync("select backend_xid from pg_stat_activity where backend_xid is not null", Cancellation))!;
    }

    private async Task TakeIdAsync(LocalCluster cluster, uint xid)
    {
        await using var stranger = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation);
        ulong taken;
        do
        {
            taken = ulong.Parse((string)(await stranger.ScalarAsync("insert into strangers values (1) returning pg_current_xact_id()::text", Cancellation))!);
            Assert.IsLessThanOrEqualTo(xid, taken, "The id was not lost, so the test shows nothing.");
        }
        while (taken < xid);
        Assert.AreEqual("committed", await stranger.ScalarAsync($"select pg_xact_status('{xid}')", Cancellation));
    }

    // Past every position of the transaction that was lost.
    private async Task FillWalAsync(LocalCluster cluster)
    {
        await using var admin = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation);
        await admin.ExecuteAsync("insert into strangers select generate_series(1, 10000)", Cancellation);
    }

    private sealed class StormLog
    {
        private int _replays;

        public ConcurrentDictionary<Guid, bool> Acknowledged { get; } = new();

        public ConcurrentDictionary<Guid, Exception> Unknown { get; } = new();

        public ConcurrentDictionary<Guid, Exception> Failed { get; } = new();

        public int Replays => _replays;

        public void Attempted(int attempts) => Interlocked.Add(ref _replays, attempts - 1);
    }
}
