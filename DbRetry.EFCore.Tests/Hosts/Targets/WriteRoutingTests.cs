using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts.Targets;

/// <summary>Writes of contexts that read from standbys. Node 0 is the primary, 1 and 2 are standbys.</summary>
[TestClass]
public sealed class WriteRoutingTests
{
    private static readonly Dictionary<string, Func<CounterContext, bool, Task<int>>> Writes = new()
    {
        ["save"] = (context, async) =>
        {
            context.Add(new CounterContext.Item { Name = $"{Guid.NewGuid()}" });
            return context.SaveAsync(async);
        },
        ["update"] = (context, async) => context.IncrementAsync(async),
        ["sql"] = (context, async) => context.SqlAsync(async, "update counters set n = n + 1"),
    };

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    public static IEnumerable<object[]> Cases()
        => from write in Writes.Keys
           from target in new[] { TargetSession.PreferStandby, TargetSession.PreferPrimary, TargetSession.Any }
           from async in new[] { true, false }
           select new object[] { write, target, async };

    public static IEnumerable<object[]> WriteNames() => Writes.Keys.SelectMany(write => new[] { new object[] { write, true }, [write, false] });

    [TestMethod]
    [DynamicData(nameof(Cases))]
    public async Task A_write_goes_to_the_primary_without_a_detour(string write, TargetSession target, bool async)
    {
        await using var database = await DatabaseAsync();
        var events = new List<EventData>();
        await using var context = HostBed.Context(database.ConnectionString, more: builder => builder.LogTo((_, _) => true, events.Add));
        using var scope = context.Database.UseTargetSession(target);
        for (var i = 0; i < 5; i++)
        {
            Assert.AreEqual(1, await Writes[write](context, async));
        }

        Assert.IsEmpty(events.Where(e => e.EventId == CoreEventId.ExecutionStrategyRetrying));
        Assert.AreEqual(5L, await database.ScalarAsync<long>("select (select n from counters) + (select count(*) from items)", Cancellation));
    }

    [TestMethod]
    [DynamicData(nameof(WriteNames))]
    public async Task A_write_under_a_target_session_that_takes_none_is_an_error_that_tells_what_to_do(string write, bool async)
    {
        await using var database = await DatabaseAsync();
        await using var context = HostBed.Context(database.ConnectionString, options => options.TargetSession = TargetSession.Standby);
        var error = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => Writes[write](context, async));
        Assert.Contains("use PreferStandby, under which writes go to the primary", error.Message);

        context.ChangeTracker.Clear();
        using var scope = context.Database.UseTargetSession(TargetSession.ReadWrite);
        Assert.AreEqual(1, await Writes[write](context, async), "The context is none the worse for it.");
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_save_that_has_nothing_to_save_is_no_write(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.ConnectionString(), options => options.TargetSession = TargetSession.Standby);
        Assert.AreEqual(0, await context.SaveAsync(async, Cancellation));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_unit_that_turns_out_to_write_runs_again_on_the_primary(bool async)
    {
        await using var database = await DatabaseAsync();
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(database.ConnectionString, options => options.TargetSession = TargetSession.PreferStandby);
        var nodes = new List<int>();
        await context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            await using var transaction = await context.BeginAsync(async);
            nodes.Add(await context.NodeAsync(cluster, async, Cancellation));
            await context.IncrementAsync(async);
            await transaction.CommitAsync(async);
        });

        Assert.HasCount(2, nodes);
        Assert.AreNotEqual(0, nodes[0]);
        Assert.AreEqual(0, nodes[1]);
        Assert.AreEqual(1L, await database.ScalarAsync<long>("select n from counters", Cancellation));
        Assert.AreNotEqual(0, await context.NodeAsync(cluster, async, Cancellation), "The next unit may read from a standby again.");
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_unit_that_writes_where_no_write_is_taken_fails_with_an_error_that_tells_what_to_do(bool async)
    {
        await using var database = await DatabaseAsync();
        await using var context = HostBed.Context(database.ConnectionString, options => options.TargetSession = TargetSession.ReadOnly);
        var attempts = 0;
        var error = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            attempts++;
            await using var transaction = await context.BeginAsync(async);
            await context.IncrementAsync(async);
        }));
        Assert.AreEqual(1, attempts);
        Assert.AreEqual(PostgresErrorCodes.ReadOnlySqlTransaction, Assert.IsInstanceOfType<PostgresException>(error.InnerException).SqlState);
    }

    [TestMethod]
    [DataRow(TransactionScopeMode.ReadWrite, "0", false)]
    [DataRow(TransactionScopeMode.ReadWrite, "0", true)]
    [DataRow(TransactionScopeMode.ReadOnly, "12", false)]
    [DataRow(TransactionScopeMode.ReadOnly, "12", true)]
    public async Task A_transaction_scope_that_may_write_begins_on_the_primary(TransactionScopeMode mode, string nodes, bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.ConnectionString(), options => options.TargetSession = TargetSession.PreferStandby);
        await using var scope = async
            ? await context.Database.BeginTransactionScopeAsync(null, mode, Cancellation)
            : context.Database.BeginTransactionScope(null, mode);
        Assert.Contains($"{await context.NodeAsync(cluster, async, Cancellation)}", nodes);
    }

    private async Task<TestDatabase> DatabaseAsync()
    {
        var cluster = await SharedCluster.TripleAsync();
        var database = await TestDatabase.CreateAsync(cluster, Cancellation);
        await database.ExecuteAsync(CounterContext.Schema, Cancellation);
        await cluster.WaitForReplayAsync(Cancellation);
        return database;
    }
}
