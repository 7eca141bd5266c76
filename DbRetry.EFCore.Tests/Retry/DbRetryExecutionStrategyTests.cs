using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class DbRetryExecutionStrategyTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow("23505", false)]
    [DataRow("23505", true)]
    [DataRow("23503", true)]
    [DataRow("42601", true)]
    [DataRow("42501", true)]
    [DataRow("40002", true)]
    [DataRow("55000", true)]
    [DataRow("55006", true)]
    [DataRow("55P03", true)]
    [DataRow("53100", true)]
    [DataRow("22012", true)]
    public async Task A_deterministic_error_surfaces_at_once_as_itself(string sqlState, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        bed.Proxy.Arm();

        var error = await Assert.ThrowsExactlyAsync<PostgresException>(() => context.FailAsync(async, sqlState));

        Assert.AreEqual(sqlState, error.SqlState);
        Assert.AreEqual(1, bed.Proxy.Messages.Count(message => message.IsSql("as told")));
    }

    [TestMethod]
    public async Task A_save_that_breaks_a_constraint_surfaces_as_EF_reports_it()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await bed.Database.ExecuteAsync("insert into items(name) values ('taken')", Cancellation);
        await using var context = bed.Context();
        context.Items.Add(new() { Name = "taken" });
        bed.Proxy.Arm();

        var error = await Assert.ThrowsExactlyAsync<DbUpdateException>(() => context.SaveAsync(async: true));

        Assert.AreEqual("23505", Assert.IsInstanceOfType<PostgresException>(error.InnerException).SqlState);
        Assert.AreEqual(1, bed.Proxy.Messages.Count(message => message.IsSql("INSERT INTO")));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_database_that_does_not_exist_surfaces_at_once(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var missing = new NpgsqlConnectionStringBuilder(bed.ConnectionString) { Database = "dbretry_missing" }.ConnectionString;
        await using var context = bed.Context(null, builder => builder.UseNpgsql(missing));
        var attempts = 0;

        var error = await Assert.ThrowsExactlyAsync<PostgresException>(() => context.Database.CreateExecutionStrategy().RunAsync(async, () =>
        {
            attempts++;
            return context.Counters.CountAsync(async);
        }));

        Assert.AreEqual("3D000", error.SqlState);
        Assert.AreEqual(1, attempts);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_write_in_a_transaction_that_the_application_made_read_only_surfaces_at_once(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var attempts = 0;

        var error = await Assert.ThrowsExactlyAsync<PostgresException>(() => context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            attempts++;
            await using var transaction = await context.BeginAsync(async);
            await context.SqlAsync(async, "set transaction read only");
            await context.IncrementAsync(async);
        }));

        Assert.AreEqual("25006", error.SqlState);
        Assert.AreEqual(1, attempts);
    }

    [TestMethod]
    [DataRow("40001", false)]
    [DataRow("40001", true)]
    [DataRow("40P01", false)]
    [DataRow("40P01", true)]
    public async Task A_conflict_is_retried_until_it_passes(string sqlState, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var attempts = 0;

        await context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            await using var transaction = await context.BeginAsync(async);
            await context.IncrementAsync(async);
            if (++attempts < 4)
            {
                await context.FailAsync(async, sqlState);
            }

            await transaction.CommitAsync(async);
        });

        Assert.AreEqual(4, attempts);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task When_the_budget_is_used_up_one_exception_tells_the_story(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.MaxRetryCount = 2);
        bed.Proxy.Arm();

        var error = await Assert.ThrowsAsync<RetryLimitExceededException>(() => context.FailAsync(async, "40001"));

        Assert.AreEqual(3, bed.Proxy.Messages.Count(message => message.IsSql("as told")));
        Assert.Contains("failed in each of 3 attempts over", error.Message);
        Assert.Contains($"on 127.0.0.1:{bed.Proxy.Port}", error.Message);
        Assert.Contains("MaxRetryCount is 2", error.Message);
        Assert.AreEqual("40001", Assert.IsInstanceOfType<PostgresException>(error.InnerException).SqlState);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task With_MaxRetryCount_0_a_conflict_surfaces_as_itself(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.MaxRetryCount = 0);
        bed.Proxy.Arm();

        await Assert.ThrowsExactlyAsync<PostgresException>(() => context.FailAsync(async, "40001"));

        Assert.AreEqual(1, bed.Proxy.Messages.Count(message => message.IsSql("as told")));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task With_MaxRetryCount_0_a_refused_and_a_lost_connection_surface_as_they_are(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.MaxRetryCount = 0);
        bed.Proxy.Arm(FaultPoint.AtSql("counters", FaultMoment.BeforeForward, FaultAction.Reset));
        Assert.IsTrue((await Assert.ThrowsExactlyAsync<NpgsqlException>(() => context.Counters.CountAsync(async))).IsTransient);

        bed.Proxy.RefuseConnections();
        Assert.IsTrue((await Assert.ThrowsExactlyAsync<NpgsqlException>(() => context.Counters.CountAsync(async))).IsTransient);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_host_that_stays_away_is_waited_for_as_long_as_FailoverTimeout_and_not_for_ever(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var time = new ManualTime { SkipsWaits = true };
        await using var services = time.Services();
        await using var context = bed.Context(
            options => options.FailoverTimeout = TimeSpan.FromSeconds(1), builder => builder.UseInternalServiceProvider(services));
        bed.Proxy.RefuseConnections();

        var error = await Assert.ThrowsAsync<RetryLimitExceededException>(() => context.Counters.CountAsync(async));

        Assert.Contains("FailoverTimeout is 1 s", error.Message);
        Assert.Contains("no host was reached", error.Message);
        Assert.IsGreaterThanOrEqualTo(0.999, time.Waits.Where(wait => wait > TimeSpan.Zero).Sum(wait => wait.TotalSeconds));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_retry_budget_of_a_cluster_bounds_what_a_broken_host_gets(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options =>
        {
            options.MaxRetryCount = 100;
            options.RetryBudget = 3;
        });
        bed.Proxy.Arm(FaultPoint.AtSql("counters", FaultMoment.BeforeForward, FaultAction.Reset) with { Repeat = true });

        var error = await Assert.ThrowsAsync<RetryLimitExceededException>(() => context.Counters.CountAsync(async));

        Assert.Contains($"the RetryBudget of 3 for cluster 127.0.0.1:{bed.Proxy.Port} is used up", error.Message);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_application_may_declare_errors_retriable_and_conflicts_permanent(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options =>
        {
            options.MaxRetryCount = 2;
            options.RetriableSqlStates.Add("55P03");
            options.ShouldRetry = exception => exception is PostgresException error
                ? error.SqlState switch { "22012" => true, "40001" => false, _ => null }
                : null;
        });

        foreach (var (sqlState, attempts) in new[] { ("55P03", 3), ("22012", 3), ("40001", 1), ("40P01", 3), ("55006", 1) })
        {
            bed.Proxy.Arm();
            await Assert.ThrowsAsync<Exception>(() => context.FailAsync(async, sqlState));
            Assert.AreEqual(attempts, bed.Proxy.Messages.Count(message => message.IsSql("as told")), sqlState);
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task EFs_own_retry_event_tells_failures_and_waits(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var time = new ManualTime { SkipsWaits = true };
        await using var services = time.Services();
        var retries = new List<(double Delay, Exception[] Failures)>();
        await using var context = bed.Context(
            options =>
            {
                options.MaxRetryCount = 2;
                options.ConflictDelay = TimeSpan.FromMilliseconds(10);
            },
            builder => builder.UseInternalServiceProvider(services).LogTo(
                (id, _) => id == CoreEventId.ExecutionStrategyRetrying,
                data => retries.Add((((ExecutionStrategyEventData)data).Delay.TotalMilliseconds, [.. ((ExecutionStrategyEventData)data).ExceptionsEncountered]))));

        await Assert.ThrowsAsync<RetryLimitExceededException>(() => context.FailAsync(async, "40001"));

        // Before the last chance it has been 120 ms since the first conflict was lost.
        CollectionAssert.AreEqual(new[] { 5.0, 115.0 }, retries.Select(retry => retry.Delay).ToList());
        CollectionAssert.AreEqual(new[] { 5.0, 115.0 }, time.Waits.Where(wait => wait > TimeSpan.Zero).Select(wait => wait.TotalMilliseconds).ToList());
        CollectionAssert.AreEqual(new[] { 1, 2 }, retries.Select(retry => retry.Failures.Length).ToList());
        Assert.IsTrue(retries[^1].Failures.All(exception => exception is PostgresException { SqlState: "40001" }));
    }

    [TestMethod]
    public async Task Work_may_set_how_saves_are_put_into_transactions()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var strategy = context.Database.CreateExecutionStrategy();

        strategy.Execute(() => Assert.AreEqual(AutoTransactionBehavior.Always, context.Database.AutoTransactionBehavior));
        Assert.AreEqual(AutoTransactionBehavior.WhenNeeded, context.Database.AutoTransactionBehavior);

        strategy.Execute(() => context.Database.AutoTransactionBehavior = AutoTransactionBehavior.Never);
        Assert.AreEqual(AutoTransactionBehavior.Never, context.Database.AutoTransactionBehavior);

        strategy.Execute(() => Assert.AreEqual(AutoTransactionBehavior.Never, context.Database.AutoTransactionBehavior));
    }

    [TestMethod]
    public async Task Nothing_to_run_is_an_error()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var strategy = context.Database.CreateExecutionStrategy();

        Assert.ThrowsExactly<ArgumentNullException>(() => strategy.Execute(0, (Func<DbContext, int, int>)null!, null));
        await Assert.ThrowsExactlyAsync<ArgumentNullException>(
            () => strategy.ExecuteAsync(0, (Func<DbContext, int, CancellationToken, Task<int>>)null!, null, Cancellation));
    }

    [TestMethod]
    public async Task The_factory_gives_the_provider_s_own_strategy_to_a_context_without_DbRetry()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        Assert.IsInstanceOfType<DbRetryExecutionStrategy>(context.Database.CreateExecutionStrategy());
        await using var stock = bed.Stock();
        Assert.IsNotInstanceOfType<DbRetryExecutionStrategy>(stock.Database.CreateExecutionStrategy());
    }
}
