using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using DbRetry.EFCore.Tests.Transactions;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry.Fencing;

/// <summary>A connection falls silent in the middle of a transaction, and its session stays on the server with all its locks.</summary>
[TestClass]
public sealed class SilentConnectionTests
{
    private const string Fence = "pg_terminate_backend";

    // The first statement that locks the row is answered, and the answer does not arrive.
    private static readonly FaultPoint SilenceAfterUpdate = FaultPoint.AtSql("UPDATE", FaultMoment.AfterProcessed, FaultAction.BlackHole);

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow("unit", false)]
    [DataRow("unit", true)]
    [DataRow("scope", true)]
    [DataRow("ExecuteInTransaction", false)]
    [DataRow("save", true)]
    [DataRow("ExecuteUpdate", false)]
    [DataRow("ExecuteSql", true)]
    public async Task A_replay_does_not_wait_for_the_locks_of_the_connection_that_fell_silent(string operation, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = Context(bed);
        await context.Counters.LoadAsync(Cancellation);
        bed.Proxy.Arm(SilenceAfterUpdate);

        await RunAsync(context, operation, async);

        Assert.AreEqual(1, bed.Proxy.FaultsFired);
        Assert.HasCount(1, bed.Proxy.Messages.Where(message => message.IsSql(Fence)));
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(CommitVerification.None)]
    [DataRow(CommitVerification.Surface)]
    [DataRow(CommitVerification.Witness)]
    public async Task However_outcomes_are_established(CommitVerification verification)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = Context(bed, options => options.CommitVerification = verification);
        await context.Counters.LoadAsync(Cancellation);
        bed.Proxy.Arm(SilenceAfterUpdate);

        await RunAsync(context, "save", async: true);

        Assert.HasCount(1, bed.Proxy.Messages.Where(message => message.IsSql(Fence)));
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_connection_of_the_applications_own_is_fenced_too(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var own = new NpgsqlConnection($"{bed.ConnectionString};{Impatient}");
        await using var context = new CounterContext(
            new DbContextOptionsBuilder<CounterContext>().UseNpgsql(own).UseDbRetry(RetryBed.Quick).Options);
        await context.Counters.LoadAsync(Cancellation);
        bed.Proxy.Arm(SilenceAfterUpdate);

        await RunAsync(context, "unit", async);

        Assert.HasCount(1, bed.Proxy.Messages.Where(message => message.IsSql(Fence)));
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Nobody_is_ended_after_a_session_that_the_server_ended_itself(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = Context(bed);
        var attempts = 0;
        bed.Proxy.Arm();

        await context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            await using var transaction = await context.BeginAsync(async);
            await context.IncrementAsync(async);
            if (++attempts == 1)
            {
                var processId = ((NpgsqlConnection)context.Database.GetDbConnection()).ProcessID;
                await bed.Database.ExecuteAsync($"select pg_catalog.pg_terminate_backend({processId}, 10000)", Cancellation);
            }

            await context.IncrementAsync(async);
            await transaction.CommitAsync(async);
        });

        Assert.AreEqual(2, attempts);
        Assert.IsEmpty(bed.Proxy.Messages.Where(message => message.IsSql(Fence)));
        Assert.AreEqual((2L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false, false)]
    [DataRow(true, true)]
    public async Task A_connection_that_is_lost_while_it_ends_the_old_session_is_replaced_by_the_next(bool ended, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = Context(bed);
        await context.Counters.LoadAsync(Cancellation);
        bed.Proxy.Arm(SilenceAfterUpdate, FaultPoint.AtSql(Fence, ended ? FaultMoment.AfterProcessed : FaultMoment.BeforeForward, FaultAction.Reset));

        await RunAsync(context, "unit", async);

        Assert.AreEqual(2, bed.Proxy.FaultsFired);
        Assert.HasCount(2, bed.Proxy.Messages.Where(message => message.IsSql(Fence)));
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_role_that_may_end_nobody_loses_nothing_by_that(bool async)
    {
        SharedCluster.RequireLocal();
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var role = $"weak_{bed.Database.Name}";
        await bed.Database.ExecuteAsync(
            $"""
            create role {role} login;
            grant all on counters to {role};
            revoke execute on function pg_terminate_backend(int, bigint) from public;
            """,
            Cancellation);
        try
        {
            await using var context = new CounterContext(new DbContextOptionsBuilder<CounterContext>()
                .UseNpgsql($"{bed.ConnectionString};Username={role};{Impatient}").UseDbRetry(RetryBed.Quick).Options);
            bed.Proxy.Arm(FaultPoint.AtSql("SELECT count", FaultMoment.AfterProcessed, FaultAction.BlackHole));

            await context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
            {
                await using var transaction = await context.BeginAsync(async);
                Assert.AreEqual(1L, await context.Counters.CountAsync(async));
                await context.IncrementAsync(async);
                await transaction.CommitAsync(async);
            });

            Assert.HasCount(1, bed.Proxy.Messages.Where(message => message.IsSql(Fence)));
            Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
        }
        finally
        {
            bed.Proxy.FailAll(FaultAction.Reset);
            await bed.Database.ExecuteAsync($"drop owned by {role}; drop role {role}", Cancellation);
        }
    }

    private const string Impatient = "Command Timeout=1;Cancellation Timeout=-1";

    private static CounterContext Context(RetryBed bed, Action<DbRetryOptions>? configure = null)
        => new(new DbContextOptionsBuilder<CounterContext>()
            .UseNpgsql($"{bed.ConnectionString};{Impatient}").UseDbRetry(RetryBed.Quick).UseDbRetry(configure).Options);

    private static Task RunAsync(CounterContext context, string operation, bool async)
    {
        switch (operation)
        {
            case "unit":
                return context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
                {
                    await using var transaction = await context.BeginAsync(async);
                    await context.IncrementAsync(async);
                    await transaction.CommitAsync(async);
                });
            case "scope":
                return context.UnitAsync(async, () => context.IncrementAsync(async));
            case "ExecuteInTransaction":
                var strategy = context.Database.CreateExecutionStrategy();
                return async
                    ? strategy.ExecuteInTransactionAsync(() => context.IncrementAsync(async), () => Task.FromResult(false))
                    : Twin.Caught(() =>
                    {
                        strategy.ExecuteInTransaction(() => context.IncrementAsync(async).GetAwaiter().GetResult(), () => false);
                        return true;
                    });
            case "save":
                context.Counters.Local.Single().N++;
                return context.SaveAsync(async);
            case "ExecuteUpdate":
                return context.IncrementAsync(async);
            default:
                return context.SqlAsync(async, "update counters set n = n + 1");
        }
    }
}
