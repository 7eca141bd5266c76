using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>
/// Npgsql 10.0.0 reuses a connector whose first, encrypted way to connect was cut, but not the event that it disposed of then
/// (NpgsqlConnector.cs, Cleanup and ResetCancellation). Fixed in 10.0.3.
/// </summary>
[TestClass]
public sealed class HalfDeadConnectorFacts
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_connection_whose_encrypted_attempt_was_cut_opens_and_cannot_begin_a_transaction()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        proxy.Arm(FaultPoint.AtMessage(1, FaultMoment.BeforeForward, FaultAction.Cut));
        await using var connection = await proxy.OpenAsync("SSL Mode=Prefer");
        Assert.AreEqual(1, proxy.FaultsFired);

        Assert.AreEqual(1, await connection.ScalarAsync("select 1", Cancellation));
        await connection.BeginTransactionAsync(Cancellation);
        var failure = await Assert.ThrowsExactlyAsync<ObjectDisposedException>(() => connection.ScalarAsync("select 1", Cancellation));

        Assert.IsTrue(ClientShapes.IsHalfDead(failure));
        Assert.IsFalse(connection.IsGone(), "It counts as open all the same.");
    }
}
