using DbRetry.EFCore.Commits.Witness;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using DbRetry.EFCore.Tests.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;
using Npgsql;

namespace DbRetry.EFCore.Tests.Commits.Witness;

[TestClass]
public sealed class CommitWitnessTests
{
    private const string Table = DbRetryOptions.DefaultWitnessTable;

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow("save 1 row", false)]
    [DataRow("save 1 row", true)]
    [DataRow("save 3 batches", true)]
    [DataRow("ExecuteUpdate n = n + 1", false)]
    [DataRow("ExecuteUpdate n = n + 1", true)]
    [DataRow("ExecuteSql n = n + 1", true)]
    [DataRow("unit with two saves", true)]
    [DataRow("raw transaction outside a strategy", true)]
    [DataRow("deferred constraint", true)]
    [DataRow("ExecuteInTransactionScope, added outside", true)]
    public async Task A_reset_at_any_message_leaves_the_operation_applied_exactly_once(string name, bool async)
    {
        var operation = SweepOperation.All.Single(candidate => candidate.Name == name);
        var results = await ProtocolSweep.RunAsync(operation, async, FaultAction.Reset, Witness, Cancellation);

        var bad = results.Where(result => result.Outcome is not (SweepOutcome.ExactlyOnce or SweepOutcome.FailedCleanly)).ToList();
        Assert.IsEmpty(bad, string.Join(Environment.NewLine, bad.Take(5).Select(result => $"{result.Outcome} {result.Point}: {result.Error}")));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_table_is_created_on_demand_and_holds_one_row_for_each_transaction_that_wrote(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(Witness);

        await context.IncrementAsync(async);
        await context.SqlAsync(async, "update counters set n = n + 1");
        _ = await context.Counters.CountAsync(async);

        Assert.AreEqual(2L, await bed.Database.ScalarAsync<long>($"select count(*) from {Table} where committed", Cancellation));
        Assert.AreEqual((2L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_table_that_was_dropped_meanwhile_fails_one_transaction_and_is_created_again(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(Witness);
        await context.IncrementAsync(async);
        await bed.Database.ExecuteAsync($"drop table {Table}", Cancellation);

        var error = await Assert.ThrowsExactlyAsync<PostgresException>(() => context.IncrementAsync(async));
        Assert.AreEqual(PostgresErrorCodes.UndefinedTable, error.SqlState);
        await context.IncrementAsync(async);

        Assert.AreEqual((2L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_role_that_may_not_create_the_table_is_told_how_to_get_it_and_nothing_is_committed(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var role = await LimitedRole.CreateAsync(bed, [], Cancellation);
        await using var context = bed.Context(Witness, builder => builder.UseNpgsql(role.ConnectionString));

        var error = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => context.IncrementAsync(async));
        Assert.Contains("CreateDbRetryWitnessTable", error.Message);
        Assert.Contains(Table, error.Message);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());

        await bed.Database.ExecuteAsync($"{WitnessTable.Named(Table).CreateSql}; grant insert, select, delete on {Table} to {role.Name}", Cancellation);
        await context.IncrementAsync(async);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_backend_that_is_stuck_between_witness_and_COMMIT_is_ended_and_the_unit_runs_again(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(Witness, builder => builder.UseNpgsql($"{bed.ConnectionString};Command Timeout=1;Cancellation Timeout=-1"));
        await context.IncrementAsync(async);

        // The server gets the witness, and the rest of the batch never: its backend waits, with the row written and not committed.
        bed.Proxy.Arm(FaultPoint.AtSql("COMMIT", FaultMoment.BeforeForward, FaultAction.BlackHole));
        await context.IncrementAsync(async);

        Assert.AreEqual(1, bed.Proxy.FaultsFired);
        Assert.AreEqual((2L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Old_witnesses_are_removed_by_a_later_commit(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var time = new ManualTime();
        var upkeep = new WitnessUpkeep(time);
        var table = WitnessTable.Named(Table);
        await using var connection = await bed.OpenAsync();
        await EnsureAsync();
        await bed.Database.ExecuteAsync($"insert into {Table} values (gen_random_uuid(), true, now() - interval '11 minutes')", Cancellation);

        await CleanAsync();
        Assert.AreEqual(1L, await bed.Database.ScalarAsync<long>($"select count(*) from {Table}", Cancellation), "It is not due yet.");
        time.Advance(WitnessUpkeep.CleaningInterval);
        await CleanAsync();
        Assert.AreEqual(0L, await bed.Database.ScalarAsync<long>($"select count(*) from {Table}", Cancellation));

        time.Advance(WitnessUpkeep.CleaningInterval);
        await bed.Database.ExecuteAsync($"drop table {Table}", Cancellation);
        await CleanAsync(); // Fails, and nobody hears of it: the commit before it has succeeded.

        async Task EnsureAsync()
        {
            if (async)
            {
                await upkeep.EnsureTableAsync(connection, table, Cancellation);
            }
            else
            {
                upkeep.EnsureTable(connection, table);
            }
        }

        async Task CleanAsync()
        {
            if (async)
            {
                await upkeep.CleanAsync(connection, table, TimeSpan.FromMinutes(1));
            }
            else
            {
                upkeep.Clean(connection, table, TimeSpan.FromMinutes(1));
            }
        }
    }

    [TestMethod]
    [DataRow("a scope", false)]
    [DataRow("a scope", true)]
    [DataRow("a statement", false)]
    [DataRow("a statement", true)]
    [DataRow("the role", false)]
    [DataRow("the role", true)]
    public async Task A_transaction_that_is_READ_ONLY_leaves_no_witness_and_does_not_fail_for_it(string why, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var options = why == "the role" ? ";Options=-c default_transaction_read_only=on;Target Session Attributes=any" : string.Empty;
        await using var context = bed.Context(Witness, builder => builder.UseNpgsql(bed.ConnectionString + options));
        await using var scope = await context.BeginScopeAsync(async, mode: why == "a scope" ? TransactionScopeMode.ReadOnly : TransactionScopeMode.ReadWrite);
        if (why == "a statement")
        {
            await context.SqlAsync(async, "set transaction read only");
        }

        // Nobody can tell from the outside that it writes nothing.
        await context.SqlAsync(async, "do $$ begin end $$");
        await scope.CompleteAsync(async);

        Assert.IsTrue(await bed.Database.ScalarAsync<bool>($"select to_regclass('{Table}') is null", Cancellation));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_mere_mention_of_READ_ONLY_does_not_cost_the_witness(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(Witness);

        await context.SqlAsync(async, "update counters set n = n + 1 /* not read only */");

        Assert.AreEqual(1L, await bed.Database.ScalarAsync<long>($"select count(*) from {Table} where committed", Cancellation));
    }

    [TestMethod]
    public async Task A_migration_makes_and_drops_the_table()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var builder = new MigrationBuilder(context.Database.ProviderName);
        builder.CreateDbRetryWitnessTable();
        builder.DropDbRetryWitnessTable();
        var (create, drop) = ((SqlOperation)builder.Operations[0], (SqlOperation)builder.Operations[1]);

        await context.Database.ExecuteSqlRawAsync(create.Sql, Cancellation);
        Assert.AreEqual(0L, await bed.Database.ScalarAsync<long>($"select count(*) from {Table}", Cancellation));
        await context.Database.ExecuteSqlRawAsync(drop.Sql, Cancellation);
        Assert.IsTrue(await bed.Database.ScalarAsync<bool>($"select to_regclass('{Table}') is null", Cancellation));
    }

    [TestMethod]
    public void A_name_that_is_none_fails_where_it_was_given()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => new DbContextOptionsBuilder().UseDbRetry(options => options.WitnessTable = "a.b.c"));
        Assert.AreEqual(nameof(DbRetryOptions.WitnessTable), error.ParamName);
        Assert.Contains("a.b.c", error.Message);
    }

    private static void Witness(DbRetryOptions options) => options.CommitVerification = CommitVerification.Witness;
}
