using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>Through PgBouncer with transaction pooling, where the client's connection outlives many of the server's.</summary>
[TestClass]
public sealed class PgBouncerTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_08P01_of_a_pooler_that_lost_its_server_leaves_open_whether_the_transaction_is_committed(bool committed)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var pooler = await PgBouncer.StartAsync(bed.Proxy.Port, Cancellation);
        await using var connection = new NpgsqlConnection(PgBouncer.Through(pooler, bed.Database.ConnectionString));
        await connection.OpenAsync(Cancellation);
        await using var transaction = await connection.BeginTransactionAsync(Cancellation);
        await connection.ExecuteAsync("update counters set n = n + 1", Cancellation);
        bed.Proxy.Arm(LostServer(committed));

        var failure = await Assert.ThrowsExactlyAsync<PostgresException>(() => transaction.CommitAsync(Cancellation));

        Assert.AreEqual("08P01", failure.SqlState);
        Assert.IsFalse(failure.IsTransient);
        Assert.AreEqual((committed ? 1L : 0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false, false, CommitVerification.TransactionStatus)]
    [DataRow(true, false, CommitVerification.TransactionStatus)]
    [DataRow(false, true, CommitVerification.TransactionStatus)]
    [DataRow(true, true, CommitVerification.TransactionStatus)]
    [DataRow(false, false, CommitVerification.Witness)]
    [DataRow(true, false, CommitVerification.Witness)]
    [DataRow(false, true, CommitVerification.Witness)]
    [DataRow(true, true, CommitVerification.Witness)]
    public async Task A_pooler_that_loses_its_server_at_COMMIT_leaves_every_write_applied_once(
        bool async, bool committed, CommitVerification verification)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var pooler = await PgBouncer.StartAsync(bed.Proxy.Port, Cancellation);
        var builder = new DbContextOptionsBuilder<CounterContext>();
        builder.UseNpgsql(PgBouncer.Through(pooler, bed.Database.ConnectionString)).UseDbRetry(RetryBed.Quick).UseDbRetry(options => options.CommitVerification = verification);
        await using var context = new CounterContext(builder.Options);
        await context.Counters.CountAsync(async); // Witness makes its table with the first commit; that is not what is cut.
        await context.SqlAsync(async, "update counters set n = 0");
        bed.Proxy.Arm(LostServer(committed));

        await context.IncrementAsync(async);
        Assert.AreEqual(1, bed.Proxy.FaultsFired);
        var item = new CounterContext.Item { Name = "one" };
        context.Items.Add(item);
        bed.Proxy.Arm(LostServer(committed));
        await context.SaveAsync(async, Cancellation);

        Assert.AreEqual(1, bed.Proxy.FaultsFired);
        Assert.AreEqual((1L, 1L), await bed.AppliedAsync());
        Assert.AreNotEqual(0L, item.Id);
        Assert.AreEqual(EntityState.Unchanged, context.Entry(item).State);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Savepoints_that_are_sent_along_pass_a_pooler(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var pooler = await PgBouncer.StartAsync(bed.Proxy.Port, Cancellation);
        var builder = new DbContextOptionsBuilder<CounterContext>();
        builder.UseNpgsql(PgBouncer.Through(pooler, bed.Database.ConnectionString)).UseDbRetry(RetryBed.Quick);
        await using var context = new CounterContext(builder.Options);
        var unit = SweepOperation.All.Single(operation => operation.Name == "unit with two saves");

        await unit.Run(context, async);
        Assert.AreEqual((0L, 2L), await bed.AppliedAsync());

        await bed.ClearAsync();
        bed.Proxy.Arm(FaultPoint.AtSql("RELEASE SAVEPOINT", FaultMoment.BeforeForward, FaultAction.Cut));
        await unit.Run(context, async);

        Assert.AreEqual(1, bed.Proxy.FaultsFired);
        Assert.AreEqual((0L, 2L), await bed.AppliedAsync());
    }

    private static FaultPoint LostServer(bool committed)
        => FaultPoint.AtCommit(committed ? FaultMoment.AfterProcessed : FaultMoment.BeforeForward, FaultAction.Cut);
}
