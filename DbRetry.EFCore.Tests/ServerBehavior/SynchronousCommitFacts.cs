using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>A COMMIT whose standby does not answer: why it must not be cancelled, and what is done instead.</summary>
[TestClass]
public sealed class SynchronousCommitFacts
{
    private static LocalCluster? _cluster;

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [ClassInitialize]
    public static async Task StartAsync(TestContext context)
        => _cluster = await SharedCluster.OwnAsync(new() { Nodes = 2, Synchronous = true }, context.CancellationToken);

    [ClassCleanup]
    public static async Task StopAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }
    }

    [TestMethod]
    public async Task A_command_timeout_makes_a_commit_succeed_that_its_standby_does_not_have()
    {
        await using var database = await DatabaseAsync();
        await using var connection = new NpgsqlConnection($"{Primary(database)};Pooling=false;Command Timeout=1");
        await connection.OpenAsync(Cancellation);
        var notices = new List<PostgresNotice>();
        connection.Notice += (_, arguments) => notices.Add(arguments.Notice);
        await using var transaction = await connection.BeginTransactionAsync(Cancellation);
        await connection.ExecuteAsync("insert into items(name) values ('unsafe')", Cancellation);
        using var held = await _cluster!.HoldAsync(1, "walreceiver", Cancellation);

        await transaction.CommitAsync(Cancellation);

        Assert.AreEqual("01000", notices.Single().SqlState);
        Assert.AreEqual("canceling wait for synchronous replication due to user request", notices.Single().MessageText);
        await using var standby = await _cluster.AdminConnectionAsync(1, database.Name, Cancellation);
        Assert.AreEqual(0L, await standby.ScalarAsync("select count(*) from items", Cancellation));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task With_DbRetry_it_is_waited_for_past_the_command_timeout_and_neither_cancelled_nor_ended(bool async)
    {
        await using var database = await DatabaseAsync();
        await using var proxy = FaultProxy.Start(Primary(database));
        var options = new DbContextOptionsBuilder<CounterContext>()
            .UseNpgsql($"{proxy.Through(Primary(database))};Pooling=false;Command Timeout=1").UseDbRetry(RetryBed.Quick).Options;
        _cluster!.Freeze(1);
        var saving = Task.Run(() => SaveAsync(options, async), Cancellation);
        try
        {
            await Poll.UntilAsync(
                () => saving.IsCompleted || proxy.Messages.Count(message => message.IsSql("pg_terminate_backend")) >= 3,
                TimeSpan.FromSeconds(30),
                () => "nobody asks for the outcome",
                Cancellation);
            Assert.IsFalse(saving.IsCompleted);
        }
        finally
        {
            _cluster.Thaw(1);
            await saving;
        }

        Assert.HasCount(1, proxy.Messages.Where(message => message.IsCommit), "It was not run again.");
        await _cluster.WaitForReplayAsync(Cancellation);
        await using var standby = await _cluster.AdminConnectionAsync(1, database.Name, Cancellation);
        Assert.AreEqual(1L, await standby.ScalarAsync("select count(*) from items", Cancellation));
        Assert.DoesNotContain("canceling wait for synchronous replication and terminating", _cluster.ReadLog(0));
    }

    private static string Primary(TestDatabase database) => _cluster!.NodeConnectionString(0, database.Name);

    private static async Task SaveAsync(DbContextOptions<CounterContext> options, bool async)
    {
        await using var context = new CounterContext(options);
        context.Items.Add(new() { Name = "safe" });
        await context.SaveAsync(async);
    }

    private async Task<TestDatabase> DatabaseAsync()
    {
        var database = await TestDatabase.CreateAsync(_cluster!, Cancellation);
        await database.ExecuteAsync(CounterContext.Schema, Cancellation);
        await _cluster!.WaitForReplayAsync(Cancellation);
        return database;
    }
}
