using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Seams;

/// <summary>What stock EF would do is in <see cref="ServerBehavior.BrokenTransactionFacts"/>.</summary>
[TestClass]
public class ReopenRefusingConnectionTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Nothing_runs_outside_a_transaction_that_was_lost_at_the_release_of_a_savepoint(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = WaitingForRelease(bed);
        var transaction = await context.BeginAsync(async);
        await LoseAtReleaseAsync(bed, context, async);

        var refusal = await Assert.ThrowsExactlyAsync<TransactionLostException>(() => context.Items.CountAsync(async));

        Assert.IsNotNull(refusal.InnerException, "the loss itself should be told");
        Assert.Contains("127.0.0.1", refusal.Message);
        Assert.AreSame(transaction, context.Database.CurrentTransaction);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Commit_of_a_transaction_that_was_lost_says_so_and_leaves_no_doubt(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = WaitingForRelease(bed);
        var transaction = await context.BeginAsync(async);
        await LoseAtReleaseAsync(bed, context, async);

        await Assert.ThrowsExactlyAsync<TransactionLostException>(() => transaction.CommitAsync(async));

        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_context_is_usable_again_once_the_lost_transaction_has_ended(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = WaitingForRelease(bed);
        var transaction = await context.BeginAsync(async);
        await LoseAtReleaseAsync(bed, context, async);
        await Assert.ThrowsExactlyAsync<TransactionLostException>(() => context.Items.CountAsync(async));

        await transaction.EndAsync(async);

        Assert.IsNull(context.Database.CurrentTransaction);
        await context.IncrementAsync(async);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_unit_that_lost_its_transaction_at_the_release_of_a_savepoint_is_run_again_as_a_whole(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        bed.Proxy.Arm(FaultPoint.AtSql("RELEASE SAVEPOINT", FaultMoment.BeforeForward, FaultAction.Reset));
        var attempts = 0;

        await context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            attempts++;
            context.ChangeTracker.Clear();
            var transaction = await context.BeginAsync(async);
            context.Items.Add(new() { Name = "saved" });
            await context.SaveAsync(async);
            await context.IncrementAsync(async);
            await transaction.CommitAsync(async);
            await transaction.EndAsync(async);
        });

        Assert.AreEqual(2, attempts);
        Assert.AreEqual((1L, 1L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_connection_that_the_application_closed_inside_its_transaction_does_not_reopen_outside_it(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var transaction = await context.BeginAsync(async);
        await context.IncrementAsync(async);
        await context.Database.GetDbConnection().CloseAsync();

        await Assert.ThrowsExactlyAsync<TransactionLostException>(() => context.Items.CountAsync(async));

        await transaction.EndAsync(async);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    public async Task A_loss_of_an_earlier_transaction_is_not_given_as_the_cause_of_a_later_one()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = WaitingForRelease(bed);
        var first = await context.BeginAsync(async: true);
        bed.Proxy.Arm(FaultPoint.AtSql("UPDATE", FaultMoment.BeforeForward, FaultAction.Cut));
        var loss = await Assert.ThrowsAsync<Exception>(() => context.IncrementAsync(async: true));
        await first.EndAsync(async: true);

        await using var second = await context.BeginAsync(async: true);
        await LoseAtReleaseAsync(bed, context, async: true);
        var refusal = await Assert.ThrowsExactlyAsync<TransactionLostException>(() => context.Items.CountAsync(async: true));

        Assert.AreNotSame(loss, refusal.InnerException);
    }

    // With Npgsql's Keepalive, RELEASE is not sent along with what follows, but waited for as EF does; and EF keeps its failure to itself.
    private static CounterContext WaitingForRelease(RetryBed bed)
        => bed.Context(null, builder => builder.UseNpgsql($"{bed.ConnectionString};Keepalive=3600"));

    private static async Task LoseAtReleaseAsync(RetryBed bed, CounterContext context, bool async)
    {
        context.Items.Add(new() { Name = "saved" });
        bed.Proxy.Arm(FaultPoint.AtSql("RELEASE SAVEPOINT", FaultMoment.BeforeForward, FaultAction.Reset));
        Assert.AreEqual(1, await context.SaveAsync(async));
        Assert.AreEqual(1, bed.Proxy.FaultsFired);
    }
}
