using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>What the owner of COMMIT does before it, and after it when there was no answer.</summary>
[TestClass]
public sealed class CommitGuardTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_transaction_that_the_server_would_roll_back_silently_is_not_reported_as_committed(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await using var transaction = await context.BeginAsync(async);
        await context.IncrementAsync(async);
        var swallowed = await Assert.ThrowsExactlyAsync<PostgresException>(() => context.SqlAsync(async, "select 1/0"));

        var failure = await Assert.ThrowsExactlyAsync<TransactionFailedException>(() => transaction.CommitAsync(async));

        StringAssert.Contains(failure.Message, "cannot be committed");
        Assert.AreSame(swallowed, failure.InnerException);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
        Assert.IsFalse(bed.Proxy.Messages.Any(message => message.IsCommit));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_transaction_that_was_rolled_back_before_is_not_taken_for_a_lost_one_and_run_again(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var attempts = 0;

        await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            attempts++;
            await using var transaction = await context.BeginAsync(async);
            await context.IncrementAsync(async);
            await transaction.RollbackAsync(Cancellation);
            await transaction.CommitAsync(async);
        }));

        Assert.AreEqual(1, attempts);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_failure_that_it_names_is_the_first_one_and_not_its_consequence_25P02(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var failure = await Assert.ThrowsExactlyAsync<TransactionFailedException>(
            () => context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
            {
                await using var transaction = await context.BeginAsync(async);
                await context.IncrementAsync(async);
                await Assert.ThrowsExactlyAsync<PostgresException>(() => context.SqlAsync(async, "select 1/0"));
                await Assert.ThrowsExactlyAsync<PostgresException>(() => context.IncrementAsync(async));
                await transaction.CommitAsync(async);
            }));

        Assert.AreEqual("22012", ((PostgresException)failure.InnerException!).SqlState);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_failure_that_a_savepoint_undid_does_not_stand_in_the_way(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await using var transaction = await context.BeginAsync(async);
        await context.IncrementAsync(async);
        await transaction.CreateSavepointAsync("before", Cancellation);
        await Assert.ThrowsExactlyAsync<PostgresException>(() => context.SqlAsync(async, "select 1/0"));
        await transaction.RollbackToSavepointAsync("before", Cancellation);

        await transaction.CommitAsync(async);

        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_deferred_constraint_speaks_before_COMMIT_and_as_itself(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await bed.Database.ExecuteAsync("create table once (i int unique deferrable initially deferred); insert into once values (1)", Cancellation);
        await using var context = bed.Context();
        await using var transaction = await context.BeginAsync(async);
        await context.SqlAsync(async, "insert into once values (1)");

        var failure = await Assert.ThrowsExactlyAsync<PostgresException>(() => transaction.CommitAsync(async));

        Assert.AreEqual(PostgresErrorCodes.UniqueViolation, failure.SqlState);
        Assert.IsFalse(bed.Proxy.Messages.Any(message => message.IsCommit));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_transaction_on_a_standby_is_committed_although_what_ran_in_it_might_have_written(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var database = await TestDatabase.CreateAsync(cluster, Cancellation);
        await database.ExecuteAsync("create function harmless() returns int language sql as 'select 1'", Cancellation);
        await cluster.WaitForReplayAsync(Cancellation);
        await using var context = new CounterContext(new DbContextOptionsBuilder<CounterContext>()
            .UseNpgsql(cluster.NodeConnectionString(1, database.Name)).UseDbRetry(options => options.TargetSession = TargetSession.Any).Options);

        Assert.AreEqual(-1, await context.SqlAsync(async, "select harmless()"));
    }

    [TestMethod]
    [DataRow(false, false)]
    [DataRow(true, false)]
    [DataRow(false, true)]
    [DataRow(true, true)]
    public async Task Surface_asks_nothing_and_leaves_the_doubt_to_the_caller(bool async, bool committed)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.CommitVerification = CommitVerification.Surface);
        context.Items.Add(new() { Name = "item" });
        bed.Proxy.Arm(FaultPoint.AtCommit(committed ? FaultMoment.AfterProcessed : FaultMoment.BeforeForward, FaultAction.Reset));

        var failure = await Assert.ThrowsExactlyAsync<CommitOutcomeUnknownException>(() => context.SaveAsync(async));

        Assert.IsNotNull(failure.InnerException);
        Assert.IsNull(failure.TransactionId);
        Assert.AreEqual(committed ? 1 : 0, (await bed.AppliedAsync()).Items);
        Assert.IsFalse(bed.Proxy.Messages.Any(message => message.IsSql("pg_current_xact_id")));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task None_runs_a_transaction_in_doubt_again_whatever_became_of_it(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.CommitVerification = CommitVerification.None);
        bed.Proxy.Arm(FaultPoint.AtCommit(FaultMoment.AfterProcessed, FaultAction.Reset));

        await context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            await using var transaction = await context.BeginAsync(async);
            await context.IncrementAsync(async);
            await transaction.CommitAsync(async);
        });

        Assert.AreEqual(2L, (await bed.AppliedAsync()).Counter);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_COMMIT_that_its_client_gave_up_on_is_fenced_before_it_is_run_again(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        context.Items.Add(new() { Name = "item" });

        // The server never sees the COMMIT, and its session stays: it idles in the transaction, whose row nobody else may insert meanwhile.
        bed.Proxy.Arm(FaultPoint.AtCommit(FaultMoment.BeforeForward, FaultAction.BlackHole));
        context.Database.GetDbConnection().ConnectionString += ";Command Timeout=1";

        await context.SaveAsync(async);

        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
        Assert.IsTrue(bed.Proxy.Messages.Any(message => message.IsSql("pg_terminate_backend")));
        Assert.HasCount(2, bed.Proxy.Messages.Where(message => message.IsCommit));
        Assert.AreEqual(
            0L,
            await bed.Database.ScalarAsync<long>(
                $"select count(*) from pg_stat_activity where datname = '{bed.Database.Name}' and state like 'idle in transaction%'", Cancellation));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_COMMIT_that_was_applied_before_its_command_timeout_passed_is_a_success(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        context.Items.Add(new() { Name = "item" });
        bed.Proxy.Arm(FaultPoint.AtCommit(FaultMoment.AfterProcessed, FaultAction.BlackHole));
        context.Database.GetDbConnection().ConnectionString += ";Command Timeout=1";

        Assert.AreEqual(1, await context.SaveAsync(async));

        Assert.HasCount(1, bed.Proxy.Messages.Where(message => message.IsCommit));
        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task When_nobody_can_be_asked_in_time_the_outcome_is_unknown_and_the_error_says_who_was_asked(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.FailoverTimeout = TimeSpan.FromMilliseconds(300));
        context.Items.Add(new() { Name = "item" });
        bed.Proxy.Arm(
            FaultPoint.AtCommit(FaultMoment.AfterProcessed, FaultAction.Cut),
            new FaultPoint(message => message.Connection > 1, FaultMoment.BeforeForward, FaultAction.Reset) { Repeat = true });

        var failure = await Assert.ThrowsExactlyAsync<CommitOutcomeUnknownException>(() => context.SaveAsync(async));

        Assert.AreEqual($"127.0.0.1:{bed.Proxy.Port}", failure.Host);
        Assert.IsNotNull(failure.TransactionId);
        StringAssert.Contains(failure.Answers, $"127.0.0.1:{bed.Proxy.Port} cannot be asked");
        Assert.AreEqual("committed", await bed.Database.ScalarAsync<string>($"select pg_xact_status('{failure.TransactionId}')", Cancellation));
    }
}
