using System.Data;
using DbRetry.EFCore.Testing;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Transactions;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Testing;

/// <summary>Each fault in each kind of work: the library under it gives exactly once, and without the library it shows the defect.</summary>
[TestClass]
public sealed class DbRetryFaultsTests
{
    private const string LostBeforeFirst = "lost before statement 1";
    private const string LostBeforeSecond = "lost before statement 2";
    private const string LostBeforeCommit = "lost before COMMIT";
    private const string Acknowledgement = "acknowledgement lost";
    private const string Conflict = "conflict, twice";
    private const string Deadlock = "deadlock at statement 1";
    private const string Demoted = "demoted";

    private static readonly Dictionary<string, Func<CounterContext, bool, Task>> Replayed = new()
    {
        ["save"] = SaveAsync,
        ["ExecuteUpdate"] = (context, async) => context.IncrementAsync(async),
        ["ExecuteSql"] = (context, async) => context.SqlAsync(async, "update counters set n = n + 1"),
        ["unit"] = (context, async) => context.UnitAsync(async, () => BothAsync(context, async)),
        ["strategy"] = StrategyAsync,
    };

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(LostBeforeFirst, 1)]
    [DataRow(LostBeforeSecond, 2)]
    [DataRow(LostBeforeCommit, null)]
    [DataRow(Acknowledgement, null)]
    [DataRow(Conflict, null)]
    [DataRow(Deadlock, 1)]
    [DataRow(Demoted, null)]
    public async Task What_DbRetry_runs_again_is_applied_exactly_once_under_every_fault(string fault, int? statement)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        foreach (var (name, work) in Replayed)
        {
            var saves = !name.StartsWith("Execute");
            var increments = name != "save";
            if (statement == 2 && !(saves && increments))
            {
                continue;
            }

            foreach (var async in new[] { false, true })
            {
                await bed.ClearAsync();
                var faults = Planned(fault);
                await using var context = bed.Context(more: builder => builder.UseDbRetryFaults(faults));

                await work(context, async);

                faults.AssertAllHit();
                Assert.AreEqual((increments ? 1L : 0L, saves ? 1L : 0L), await bed.AppliedAsync(), $"{name}, async: {async}");
                Assert.AreEqual(saves || fault == Acknowledgement ? statement : 1, faults.Injected[^1].Statement, name);
            }
        }
    }

    [TestMethod]
    [DataRow(LostBeforeFirst)]
    [DataRow(LostBeforeSecond)]
    [DataRow(LostBeforeCommit)]
    [DataRow(Conflict)]
    [DataRow(Deadlock)]
    [DataRow(Demoted)]
    public async Task A_scope_which_nobody_can_run_again_fails_and_leaves_nothing_behind(string fault)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        foreach (var async in new[] { false, true })
        {
            var faults = Planned(fault, times: 1);
            await using var context = bed.Context(more: builder => builder.UseDbRetryFaults(faults));

            await Assert.ThrowsAsync<Exception>(() => ScopeAsync(context, async));

            faults.AssertAllHit();
            Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_scope_whose_acknowledgement_is_lost_is_completed_all_the_same(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var faults = Planned(Acknowledgement);
        await using var context = bed.Context(more: builder => builder.UseDbRetryFaults(faults));

        await ScopeAsync(context, async);

        faults.AssertAllHit();
        Assert.AreEqual((1L, 1L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_lost_acknowledgement_is_resolved_by_a_witness_as_well(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var faults = Planned(Acknowledgement);
        await using var context = bed.Context(
            options => options.CommitVerification = CommitVerification.Witness, builder => builder.UseDbRetryFaults(faults));

        await context.UnitAsync(async, () => BothAsync(context, async));

        faults.AssertAllHit();
        Assert.AreEqual((1L, 1L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Without_verification_a_lost_acknowledgement_shows_that_the_work_is_applied_twice(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var faults = Planned(Acknowledgement);
        await using var context = bed.Context(
            options => options.CommitVerification = CommitVerification.None, builder => builder.UseDbRetryFaults(faults));

        await context.UnitAsync(async, () => context.IncrementAsync(async));

        faults.AssertAllHit();
        Assert.AreEqual(2L, (await bed.AppliedAsync()).Counter);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Where_the_doubt_is_to_surface_it_does(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var faults = Planned(Acknowledgement);
        await using var context = bed.Context(
            options => options.CommitVerification = CommitVerification.Surface, builder => builder.UseDbRetryFaults(faults));

        await Assert.ThrowsExactlyAsync<CommitOutcomeUnknownException>(() => SaveAsync(context, async));

        faults.AssertAllHit();
        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task EFs_own_retries_apply_the_work_twice_or_report_as_failed_what_was_applied(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        await using var context = new CounterContext(new DbContextOptionsBuilder<CounterContext>()
            .UseNpgsql(bed.ConnectionString, npgsql => npgsql.EnableRetryOnFailure()).UseDbRetryFaults(faults).Options);

        faults.CommitThenLoseAcknowledgement();
        await context.IncrementAsync(async);
        Assert.AreEqual(2L, (await bed.AppliedAsync()).Counter);

        faults.CommitThenLoseAcknowledgement();
        await context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            await using var transaction = await context.BeginAsync(async);
            await context.IncrementAsync(async);
            await transaction.CommitAsync(async);
        });
        Assert.AreEqual(4L, (await bed.AppliedAsync()).Counter);

        faults.CommitThenLoseAcknowledgement();
        var failure = await Assert.ThrowsExactlyAsync<DbUpdateException>(() => SaveAsync(context, async));
        Assert.AreEqual(PostgresErrorCodes.UniqueViolation, ((PostgresException)failure.InnerException!).SqlState);
        Assert.AreEqual(1L, (await bed.AppliedAsync()).Items);
        faults.AssertAllHit();
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task What_the_server_is_made_to_say_is_what_it_says_in_the_real_case(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        await using var context = bed.Context(options => options.MaxRetryCount = 0, builder => builder.UseDbRetryFaults(faults));

        faults.Conflict();
        var conflict = await Assert.ThrowsExactlyAsync<PostgresException>(() => context.IncrementAsync(async));
        Assert.AreEqual(
            ("40001", "ERROR", "could not serialize access due to concurrent update"),
            (conflict.SqlState, conflict.InvariantSeverity, conflict.MessageText));

        faults.Conflict(sqlState: "40P01");
        Assert.AreEqual("40P01", (await Assert.ThrowsExactlyAsync<PostgresException>(() => context.IncrementAsync(async))).SqlState);

        faults.DemotePrimary();
        var demoted = await Assert.ThrowsExactlyAsync<PostgresException>(() => context.IncrementAsync(async));
        Assert.AreEqual(("25006", "PreventCommandIfReadOnly"), (demoted.SqlState, demoted.Routine));

        faults.LoseConnectionBefore();
        var lost = await Assert.ThrowsExactlyAsync<NpgsqlException>(() => context.IncrementAsync(async));
        Assert.IsInstanceOfType<IOException>(lost.InnerException);
        Assert.IsTrue(lost.IsTransient);

        faults.AssertAllHit();
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Every_unit_can_be_made_to_fail_once(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        faults.InEveryUnit().CommitThenLoseAcknowledgement();
        faults.InEveryUnit().Conflict();
        await using var context = bed.Context(more: builder => builder.UseDbRetryFaults(faults));

        for (var i = 0; i < 3; i++)
        {
            await context.UnitAsync(async, () => context.IncrementAsync(async));
            await context.IncrementAsync(async);
        }

        faults.AssertAllHit();
        Assert.HasCount(12, faults.Injected);
        Assert.AreEqual(6L, (await bed.AppliedAsync()).Counter);
    }

    [TestMethod]
    public async Task A_query_can_lose_its_connection_and_what_EF_does_to_the_schema_cannot()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        await using var context = bed.Context(more: builder => builder.UseDbRetryFaults(faults));
        faults.LoseConnectionBefore();

        Assert.IsFalse(await context.Database.EnsureCreatedAsync(Cancellation));
        Assert.IsEmpty(faults.Injected);

        Assert.HasCount(1, await context.Counters.ListAsync(async: true, Cancellation));
        faults.AssertAllHit();
    }

    private static DbRetryFaults Planned(string fault, int times = 2)
    {
        var faults = new DbRetryFaults();
        switch (fault)
        {
            case LostBeforeFirst:
                faults.LoseConnectionBefore();
                break;
            case LostBeforeSecond:
                faults.LoseConnectionBefore(statement: 2);
                break;
            case LostBeforeCommit:
                faults.LoseConnectionBeforeCommit();
                break;
            case Acknowledgement:
                faults.CommitThenLoseAcknowledgement();
                break;
            case Conflict:
                faults.Conflict(times);
                break;
            case Deadlock:
                faults.Conflict(sqlState: "40P01", beforeStatement: 1);
                break;
            default:
                faults.DemotePrimary();
                break;
        }

        return faults;
    }

    private static Task<int> SaveAsync(CounterContext context, bool async)
    {
        context.Items.Add(new() { Name = "saved" });
        return context.SaveAsync(async);
    }

    private static async Task BothAsync(CounterContext context, bool async)
    {
        await SaveAsync(context, async);
        await context.IncrementAsync(async);
    }

    private static Task StrategyAsync(CounterContext context, bool async)
        => context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            context.ChangeTracker.Clear();
            var transaction = await context.BeginAsync(async, IsolationLevel.Serializable);
            try
            {
                await BothAsync(context, async);
                await transaction.CommitAsync(async);
            }
            finally
            {
                await transaction.EndAsync(async);
            }
        });

    private static async Task ScopeAsync(CounterContext context, bool async)
    {
        var scope = await context.BeginScopeAsync(async);
        try
        {
            await BothAsync(context, async);
            await scope.CompleteAsync(async);
        }
        finally
        {
            await scope.EndAsync(async);
        }
    }
}
