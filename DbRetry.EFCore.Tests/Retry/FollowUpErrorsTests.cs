using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry;

/// <summary>What surfaces of a unit need not be what broke it.</summary>
[TestClass]
public class FollowUpErrorsTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow("commit", false)]
    [DataRow("commit", true)]
    [DataRow("rollback", false)]
    [DataRow("rollback", true)]
    [DataRow("savepoint", false)]
    [DataRow("savepoint", true)]
    [DataRow("query", false)]
    [DataRow("query", true)]
    public async Task A_unit_that_met_only_the_consequences_of_a_lost_connection_is_run_again(string then, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        bed.Proxy.Arm(FaultPoint.AtSql("UPDATE", FaultMoment.AfterProcessed, FaultAction.Reset));
        var surfaced = new List<Exception>();

        await context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            Assert.IsNull(context.Database.CurrentTransaction);
            await using var transaction = await context.BeginAsync(async);
            try
            {
                await context.IncrementAsync(async);
            }
            catch (NpgsqlException)
            {
                try
                {
                    await ThenAsync(then, context, transaction, async);
                }
                catch (Exception followUp)
                {
                    surfaced.Add(followUp);
                    throw;
                }
            }

            await transaction.CommitAsync(async);
        });

        Assert.HasCount(1, surfaced);
        Assert.IsFalse(surfaced[0] is NpgsqlException, "it should be a consequence, or this shows nothing");
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_transaction_that_an_attempt_left_open_does_not_disturb_the_next(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var attempts = 0;

        await context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            Assert.IsNull(context.Database.CurrentTransaction);
            var transaction = await context.BeginAsync(async);
            await context.IncrementAsync(async);
            if (++attempts < 3)
            {
                await context.FailAsync(async, "40001");
            }

            await transaction.CommitAsync(async);
        });

        Assert.AreEqual(3, attempts);
        Assert.IsNull(context.Database.CurrentTransaction);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_transaction_that_was_left_open_by_a_unit_that_failed_for_good_is_ended(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();

        await Assert.ThrowsExactlyAsync<PostgresException>(() => context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            await context.BeginAsync(async);
            await context.IncrementAsync(async);
            await context.FailAsync(async, "23505");
        }));

        Assert.IsNull(context.Database.CurrentTransaction);
        await context.IncrementAsync(async);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_conflict_that_the_application_swallowed_is_found_behind_25P02(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var attempts = 0;

        await context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            await using var transaction = await context.BeginAsync(async);
            if (++attempts < 3)
            {
                await Assert.ThrowsExactlyAsync<PostgresException>(() => context.FailAsync(async, "40001"));
            }

            await context.IncrementAsync(async);
            await transaction.CommitAsync(async);
        });

        Assert.AreEqual(3, attempts);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task An_error_of_the_application_after_it_survived_a_lost_connection_is_its_own(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        bed.Proxy.Arm(FaultPoint.AtSql("counters", FaultMoment.BeforeForward, FaultAction.Reset));
        var attempts = 0;

        var error = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            attempts++;
            await Assert.ThrowsExactlyAsync<NpgsqlException>(() => context.Counters.CountAsync(async));
            await context.IncrementAsync(async);
            throw new InvalidOperationException("the application's own");
        }));

        Assert.AreEqual("the application's own", error.Message);
        Assert.AreEqual(1, attempts);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync(), "what was committed before must not be applied twice");
    }

    private static Task ThenAsync(string then, CounterContext context, IDbContextTransaction transaction, bool async)
        => (then, async) switch
        {
            ("rollback", true) => transaction.RollbackAsync(),
            ("rollback", false) => Run(transaction.Rollback),
            ("savepoint", true) => transaction.CreateSavepointAsync("here"),
            ("savepoint", false) => Run(() => transaction.CreateSavepoint("here")),
            ("query", _) => context.Items.CountAsync(async),
            _ => transaction.CommitAsync(async),
        };

    private static Task<bool> Run(Action action)
        => Twin.Caught(() =>
        {
            action();
            return true;
        });
}
