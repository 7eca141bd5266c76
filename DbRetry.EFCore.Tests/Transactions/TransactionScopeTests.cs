using System.Data;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;

namespace DbRetry.EFCore.Tests.Transactions;

[TestClass]
public class TransactionScopeTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_completed_scope_is_committed_and_the_context_goes_on_outside_it(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var scope = await context.BeginScopeAsync(async);
        context.Items.Add(new() { Name = "kept" });
        await context.SaveAsync(async);
        await context.IncrementAsync(async);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());

        await scope.CompleteAsync(async);

        Assert.AreEqual((1L, 1L), await bed.AppliedAsync());
        Assert.IsNull(context.Database.CurrentTransaction);
        await scope.EndAsync(async);
        await context.IncrementAsync(async);
        Assert.AreEqual((2L, 1L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_scope_that_is_not_completed_is_rolled_back(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var scope = await context.BeginScopeAsync(async);
        await context.IncrementAsync(async);

        await scope.EndAsync(async);

        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
        Assert.IsNull(context.Database.CurrentTransaction);
        await scope.EndAsync(async);
        await context.IncrementAsync(async);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task An_exception_rolls_back_and_surfaces_as_itself(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();

        var thrown = await Assert.ThrowsExactlyAsync<TimeZoneNotFoundException>(async () =>
        {
            await using var scope = await context.BeginScopeAsync(async);
            await context.IncrementAsync(async);
            throw new TimeZoneNotFoundException("mine");
        });

        Assert.AreEqual("mine", thrown.Message);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false, false)]
    [DataRow(true, false)]
    [DataRow(false, true)]
    [DataRow(true, true)]
    public async Task A_rollback_that_fails_on_disposal_does_not_hide_what_made_the_work_fail(bool async, bool adopted)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await using var open = adopted ? await context.BeginAsync(async) : null;
        bed.Proxy.Arm(FaultPoint.AtSql("ROLLBACK", FaultMoment.BeforeForward, FaultAction.Reset));

        await Assert.ThrowsExactlyAsync<TimeZoneNotFoundException>(async () =>
        {
            var scope = await context.BeginScopeAsync(async);
            try
            {
                await context.IncrementAsync(async);
                throw new TimeZoneNotFoundException("mine");
            }
            finally
            {
                await scope.EndAsync(async);
            }
        });

        Assert.AreEqual(1, bed.Proxy.FaultsFired);
        if (open is not null)
        {
            await Assert.ThrowsExactlyAsync<TransactionLostException>(() => open.CommitAsync(async));
            await open.EndAsync(async);
        }

        await context.IncrementAsync(async);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_scope_has_the_isolation_level_that_was_asked_for(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var scope = await context.BeginScopeAsync(async, IsolationLevel.Serializable);

        Assert.AreEqual("serializable", await ShowAsync(context, "transaction_isolation"));

        await scope.EndAsync(async);
        scope = await context.BeginScopeAsync(async);
        Assert.AreEqual("read committed", await ShowAsync(context, "transaction_isolation"));
        await scope.EndAsync(async);
    }

    [TestMethod]
    [DataRow(false, TransactionScopeMode.ReadOnly, "read committed", "off")]
    [DataRow(true, TransactionScopeMode.ReadOnly, "read committed", "off")]
    [DataRow(false, TransactionScopeMode.ReadOnlyDeferrable, "serializable", "on")]
    [DataRow(true, TransactionScopeMode.ReadOnlyDeferrable, "serializable", "on")]
    public async Task A_read_only_scope_cannot_write(bool async, TransactionScopeMode mode, string level, string deferrable)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var scope = await context.BeginScopeAsync(async, mode: mode);

        Assert.AreEqual("on", await ShowAsync(context, "transaction_read_only"));
        Assert.AreEqual(deferrable, await ShowAsync(context, "transaction_deferrable"));
        Assert.AreEqual(level, await ShowAsync(context, "transaction_isolation"));
        var refusal = await Assert.ThrowsAsync<PostgresException>(() => context.IncrementAsync(async));

        Assert.AreEqual(PostgresErrorCodes.ReadOnlySqlTransaction, refusal.SqlState);
        await scope.EndAsync(async);
        await context.IncrementAsync(async);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_read_only_scope_costs_one_round_trip_and_asks_for_no_identity(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await context.Items.CountAsync(async);
        bed.Proxy.Arm();
        var scope = await context.BeginScopeAsync(async, mode: TransactionScopeMode.ReadOnly);
        await context.Items.CountAsync(async);
        await scope.CompleteAsync(async);

        var sent = bed.Proxy.Messages.Where(message => message.Sql is not null).Select(message => message.Sql!.Split('\n', ' ')[0]);
        Assert.AreEqual("BEGIN SET SELECT COMMIT", string.Join(' ', sent).ToUpperInvariant());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_connection_that_is_lost_while_a_scope_begins_leaves_nothing_open(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        bed.Proxy.Arm(FaultPoint.AtSql("SET TRANSACTION", FaultMoment.BeforeForward, FaultAction.Reset));

        await Assert.ThrowsAsync<Exception>(() => context.BeginScopeAsync(async, mode: TransactionScopeMode.ReadOnly));

        Assert.IsNull(context.Database.CurrentTransaction);
        await context.IncrementAsync(async);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Commit_of_a_scope_whose_connection_was_lost_says_so(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var scope = await context.BeginScopeAsync(async);
        await context.IncrementAsync(async);
        bed.Proxy.Arm(FaultPoint.AtSql("COMMIT", FaultMoment.BeforeForward, FaultAction.Reset));

        await Assert.ThrowsExactlyAsync<TransactionLostException>(() => scope.CompleteAsync(async));

        await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => scope.CompleteAsync(async));
        await scope.EndAsync(async);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
        await context.IncrementAsync(async);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_commit_whose_answer_is_lost_is_still_a_success(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var scope = await context.BeginScopeAsync(async);
        await context.IncrementAsync(async);
        bed.Proxy.Arm(FaultPoint.AtSql("COMMIT", FaultMoment.AfterProcessed, FaultAction.Reset));

        await scope.CompleteAsync(async);

        await scope.EndAsync(async);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Misuse_is_told_clearly(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var scope = await context.BeginScopeAsync(async);
        await scope.CompleteAsync(async);

        var twice = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => scope.CompleteAsync(async));
        Assert.Contains("completed already", twice.Message);
        await scope.EndAsync(async);
        await Assert.ThrowsExactlyAsync<ObjectDisposedException>(() => scope.CompleteAsync(async));

        scope = await context.BeginScopeAsync(async);
        await context.IncrementAsync(async);
        await context.Database.RollbackTransactionAsync(Cancellation);
        var past = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => scope.CompleteAsync(async));
        Assert.Contains("past the scope", past.Message);
        await scope.EndAsync(async);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_scope_belongs_to_its_context_alone(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await using var other = bed.Context();
        var scope = await context.BeginScopeAsync(async);
        context.Items.Add(new() { Name = "one" });
        await context.SaveAsync(async);

        var othersScope = await other.BeginScopeAsync(async, IsolationLevel.Serializable);
        await other.IncrementAsync(async);
        await othersScope.CompleteAsync(async);
        await othersScope.EndAsync(async);
        await scope.EndAsync(async);

        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());

        var abandoned = bed.Context();
        scope = await abandoned.BeginScopeAsync(async);
        await abandoned.DisposeAsync();
        var disposed = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => scope.CompleteAsync(async));
        Assert.Contains("disposed before", disposed.Message);
        await scope.EndAsync(async);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_pooled_context_forgets_a_scope_that_was_never_disposed(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var options = new DbContextOptionsBuilder<CounterContext>().UseNpgsql(bed.ConnectionString).UseDbRetry(RetryBed.Quick).Options;
        var pool = new PooledDbContextFactory<CounterContext>(options, poolSize: 1);
        await using (var first = await pool.CreateDbContextAsync(Cancellation))
        {
            _ = await first.BeginScopeAsync(async);
            await first.IncrementAsync(async);
        }

        await using var second = await pool.CreateDbContextAsync(Cancellation);
        var scope = await second.BeginScopeAsync(async, IsolationLevel.Serializable);
        await second.IncrementAsync(async);
        await scope.CompleteAsync(async);
        await scope.EndAsync(async);

        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_context_without_DbRetry_is_told_what_is_missing(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Stock();

        var scope = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => context.BeginScopeAsync(async));
        var unit = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => context.UnitAsync(async, () => context.IncrementAsync(async)));

        Assert.Contains("UseDbRetry()", scope.Message);
        Assert.Contains("UseDbRetry()", unit.Message);
    }

    private static async Task<string> ShowAsync(CounterContext context, string setting)
        => await context.Database.SqlQuery<string>($"select current_setting({setting}) as \"Value\"").SingleAsync();
}
