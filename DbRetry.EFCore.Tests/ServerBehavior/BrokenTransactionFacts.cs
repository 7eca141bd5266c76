using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>What EF does by itself when a connection is lost inside a transaction, and why it must not be left to do so.</summary>
[TestClass]
public class BrokenTransactionFacts
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_save_that_lost_its_connection_at_the_release_of_its_savepoint_reports_success_and_what_follows_is_committed_alone(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Stock();
        var transaction = await context.BeginAsync(async);
        context.Items.Add(new() { Name = "saved" });
        bed.Proxy.Arm(FaultPoint.AtSql("RELEASE SAVEPOINT", FaultMoment.BeforeForward, FaultAction.Reset));

        var saved = await context.SaveAsync(async);

        Assert.AreEqual(1, bed.Proxy.FaultsFired);
        Assert.AreEqual(1, saved);
        Assert.AreEqual(0, await context.Items.CountAsync(async));
        Assert.AreEqual(1, await context.IncrementAsync(async));
        Assert.IsNull(context.Database.CurrentTransaction);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
        await Assert.ThrowsExactlyAsync<ObjectDisposedException>(() => transaction.CommitAsync(async));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_query_after_a_caught_failure_of_the_connection_reopens_it_and_the_next_save_is_committed_alone(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Stock();
        var transaction = await context.BeginAsync(async);
        await context.IncrementAsync(async);
        context.Items.Add(new() { Name = "saved" });
        bed.Proxy.Arm(FaultPoint.AtSql("INSERT", FaultMoment.BeforeForward, FaultAction.Reset));
        await Assert.ThrowsAsync<Exception>(() => context.SaveAsync(async));

        Assert.AreEqual(0, await context.Counters.Where(counter => counter.N > 0).CountAsync(async));
        await context.SaveAsync(async);

        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
        await transaction.EndAsync(async);
        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_command_without_rows_finds_the_dead_transaction_before_it_reopens(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Stock();
        await using var transaction = await context.BeginAsync(async);
        bed.Proxy.Arm(FaultPoint.AtSql("UPDATE", FaultMoment.BeforeForward, FaultAction.Reset));
        await Assert.ThrowsAsync<Exception>(() => context.IncrementAsync(async));

        var followUp = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => context.IncrementAsync(async));

        Assert.AreEqual("Transaction is already completed", followUp.Message);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task EFs_own_retrying_strategy_refuses_to_work_in_a_transaction_of_the_application(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var options = new DbContextOptionsBuilder<CounterContext>().UseNpgsql(bed.ConnectionString, npgsql => npgsql.EnableRetryOnFailure()).Options;
        await using var context = new CounterContext(options);
        await using var transaction = await context.BeginAsync(async);

        await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => context.IncrementAsync(async));
    }
}
