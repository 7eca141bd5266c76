using System.Data;
using System.Net.Sockets;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>What the client gets when something happens at COMMIT, and what has become of the transaction then.</summary>
[TestClass]
public class CommitFaultsTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_cut_looks_the_same_whether_the_server_committed_or_not(bool committed)
    {
        await using var bed = await CommitBed.CreateAsync(Cancellation);
        bed.FailCommit(committed, FaultAction.Cut);

        var failure = await Assert.ThrowsAsync<NpgsqlException>(() => bed.Transaction.CommitAsync(Cancellation));

        Assert.IsTrue(failure.IsTransient);
        Assert.IsInstanceOfType<EndOfStreamException>(failure.InnerException);
        Assert.AreEqual(ConnectionState.Broken, bed.Connection.FullState);
        Assert.AreEqual(committed, await bed.HasRowAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_reset_looks_the_same_whether_the_server_committed_or_not(bool committed)
    {
        await using var bed = await CommitBed.CreateAsync(Cancellation);
        bed.FailCommit(committed, FaultAction.Reset);

        var failure = await Assert.ThrowsAsync<NpgsqlException>(() => bed.Transaction.CommitAsync(Cancellation));

        Assert.IsTrue(failure.IsTransient);
        Assert.IsInstanceOfType<IOException>(failure.InnerException);
        Assert.IsInstanceOfType<SocketException>(failure.InnerException.InnerException);
        Assert.AreEqual(committed, await bed.HasRowAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_black_hole_times_out_the_same_whether_the_server_committed_or_not(bool committed)
    {
        await using var bed = await CommitBed.CreateAsync(Cancellation, "Command Timeout=1;Cancellation Timeout=-1");
        bed.FailCommit(committed, FaultAction.BlackHole);

        var failure = await Assert.ThrowsAsync<NpgsqlException>(() => bed.Transaction.CommitAsync(Cancellation));

        Assert.IsTrue(failure.IsTransient);
        Assert.IsInstanceOfType<TimeoutException>(failure.InnerException);
        Assert.AreEqual(committed, await bed.HasRowAsync());
    }

    [TestMethod]
    public async Task A_cancelled_commit_may_have_committed()
    {
        await using var bed = await CommitBed.CreateAsync(Cancellation, "Cancellation Timeout=-1");
        bed.FailCommit(committed: true, FaultAction.BlackHole);
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);

        var commit = bed.Transaction.CommitAsync(source.Token);
        await Poll.UntilAsync(bed.HasRowAsync, TimeSpan.FromSeconds(10), () => "the commit did not arrive", Cancellation);
        await source.CancelAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(() => commit);
        Assert.IsTrue(await bed.HasRowAsync());
    }

    [TestMethod]
    public async Task A_backend_that_was_terminated_before_commit_has_rolled_back_and_says_57P01()
    {
        await using var bed = await CommitBed.CreateAsync(Cancellation);
        await bed.Database.ExecuteAsync($"select pg_terminate_backend({bed.Connection.ProcessID}, 10000)", Cancellation);

        var failure = await Assert.ThrowsAsync<PostgresException>(() => bed.Transaction.CommitAsync(Cancellation));

        Assert.AreEqual(PostgresErrorCodes.AdminShutdown, failure.SqlState);
        Assert.IsTrue(failure.IsTransient);
        Assert.IsFalse(await bed.HasRowAsync());
    }

    [TestMethod]
    public async Task Commit_of_a_failed_transaction_returns_normally_although_the_server_rolled_back()
    {
        await using var bed = await CommitBed.CreateAsync(Cancellation);
        await Assert.ThrowsAsync<PostgresException>(() => bed.Connection.ScalarAsync("select 1/0", Cancellation));

        await bed.Transaction.CommitAsync(Cancellation);

        Assert.IsFalse(await bed.HasRowAsync());
    }

    [TestMethod]
    public async Task A_deferred_constraint_fails_in_commit_as_itself()
    {
        await using var bed = await CommitBed.CreateAsync(Cancellation);
        await bed.Connection.ExecuteAsync("insert into t values (1)", Cancellation);

        var failure = await Assert.ThrowsAsync<PostgresException>(() => bed.Transaction.CommitAsync(Cancellation));

        Assert.AreEqual(PostgresErrorCodes.UniqueViolation, failure.SqlState);
        Assert.IsFalse(failure.IsTransient);
        Assert.AreEqual(ConnectionState.Open, bed.Connection.FullState);
        Assert.IsFalse(await bed.HasRowAsync());
    }
}
