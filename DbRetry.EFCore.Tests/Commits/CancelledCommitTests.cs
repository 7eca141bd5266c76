using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>A caller who cancels while his transaction is being committed is told what became of it.</summary>
[TestClass]
public sealed class CancelledCommitTests
{
    private readonly CancellationTokenSource _caller = new();

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestCleanup]
    public void Dispose() => _caller.Dispose();

    [TestMethod]
    public async Task Before_COMMIT_is_sent_nothing_is_committed()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        context.Items.Add(new() { Name = "item" });

        var saving = await CancelAtAsync(bed, context, FaultPoint.AtSql("pg_current_xact_id", FaultMoment.BeforeForward, FaultAction.Delay(TimeSpan.FromSeconds(1))));

        await Assert.ThrowsAsync<OperationCanceledException>(() => saving);
        Assert.IsFalse(bed.Proxy.Messages.Any(message => message.IsCommit));
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    public async Task A_COMMIT_that_is_answered_within_the_grace_is_a_success()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        context.Items.Add(new() { Name = "item" });

        var saving = await CancelAtAsync(bed, context, FaultPoint.AtCommit(FaultMoment.BeforeForward, FaultAction.Delay(TimeSpan.FromMilliseconds(300))));

        Assert.AreEqual(1, await saving);
        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
        Assert.IsFalse(context.ChangeTracker.HasChanges());
        Assert.AreEqual(1, bed.Proxy.ConnectionCount, "Nobody had to be asked.");
    }

    [TestMethod]
    public async Task One_that_was_applied_and_is_not_answered_is_a_success_once_the_server_was_asked()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        context.Items.Add(new() { Name = "item" });

        var saving = await CancelAtAsync(bed, context, FaultPoint.AtCommit(FaultMoment.AfterProcessed, FaultAction.BlackHole));

        Assert.AreEqual(1, await saving);
        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
    }

    [TestMethod]
    public async Task One_that_never_arrived_is_a_cancellation_and_never_will_arrive()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        context.Items.Add(new() { Name = "item" });

        var saving = await CancelAtAsync(bed, context, FaultPoint.AtCommit(FaultMoment.BeforeForward, FaultAction.BlackHole));

        await Assert.ThrowsAsync<OperationCanceledException>(() => saving);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
        Assert.IsTrue(bed.Proxy.Messages.Any(message => message.IsSql("pg_terminate_backend")));
    }

    [TestMethod]
    public async Task One_of_which_nobody_knows_within_the_grace_is_unknown_and_not_a_cancellation()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        context.Items.Add(new() { Name = "item" });
        bed.Proxy.Arm(FaultPoint.AtCommit(FaultMoment.AfterProcessed, FaultAction.BlackHole));
        var saving = context.SaveChangesAsync(_caller.Token);
        await bed.Proxy.FirstFault.WaitAsync(Cancellation);
        bed.Proxy.RefuseConnections();
        await _caller.CancelAsync();

        var failure = await Assert.ThrowsExactlyAsync<CommitOutcomeUnknownException>(() => saving);

        Assert.IsNotNull(failure.TransactionId);
        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
    }

    private async Task<Task<int>> CancelAtAsync(RetryBed bed, CounterContext context, FaultPoint fault)
    {
        bed.Proxy.Arm(fault);
        var saving = context.SaveChangesAsync(_caller.Token);
        await bed.Proxy.FirstFault.WaitAsync(Cancellation);
        await _caller.CancelAsync();
        return saving;
    }
}
