using System.Data;
using System.Text;
using DbRetry.EFCore.Retry.Contention;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using NpgsqlTypes;

namespace DbRetry.EFCore.Tests.Retry.Contention;

/// <summary>The lock of a lane in front of each kind of first statement. All units here lose their first attempt, and take it in the second one.</summary>
[TestClass]
public sealed class LaneLockTests
{
    private const string Lock = "pg_try_advisory_lock";

    // EF services of its own: what was learnt of conflicts lives in them.
    private readonly ServiceProvider _services = new ServiceCollection().AddEntityFrameworkNpgsql().AddEntityFrameworkDbRetry().BuildServiceProvider();

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestCleanup]
    public void Dispose() => _services.Dispose();

    [TestMethod]
    [DataRow("query", 2, false)]
    [DataRow("query", 2, true)]
    [DataRow("query and save", 3, false)]
    [DataRow("query and save", 3, true)]
    [DataRow("ExecuteUpdate", 2, false)]
    [DataRow("ExecuteUpdate", 2, true)]
    [DataRow("save", 3, false, DisplayName = "save: EF's provider counts the statements, so the lock has a round trip of its own")]
    [DataRow("save", 3, true)]
    [DataRow("sql", 4, false, DisplayName = "sql: the application's own, to which nothing is added")]
    [DataRow("sql", 4, true)]
    public async Task The_lock_goes_along_with_BEGIN_and_the_first_statement(string unit, int roundTrips, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);

        // A pooled connection does not say that it ends.
        await RunAsync(bed.Proxy.Through(bed.Database.ConnectionString), async, context => WorkAsync(context, unit, async), bed.Proxy);

        Assert.AreEqual(roundTrips, RoundTrips.Count(bed.Proxy.Messages), string.Join('\n', bed.Proxy.Messages));
        Assert.HasCount(1, bed.Proxy.Messages.Where(static message => message.IsSql(Lock)));
        Assert.AreEqual(unit switch { "query" => (0L, 0L), "save" => (0L, 1L), _ => (1L, 0L) }, await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_statement_that_is_alone_takes_it_too(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = Context(bed.ConnectionString);
        var attempts = 0;
        await context.Database.CreateExecutionStrategy().RunAsync(async, AttemptAsync, Cancellation);

        Assert.HasCount(1, bed.Proxy.Messages.Where(static message => message.IsSql(Lock)));
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());

        async Task AttemptAsync()
        {
            if (++attempts == 1)
            {
                await context.FailAsync(async, "40001");
            }

            Assert.AreEqual(1, await context.IncrementAsync(async));
        }
    }

    [TestMethod]
    [DataRow("set transaction isolation level serializable", false)]
    [DataRow("set transaction isolation level serializable", true)]
    [DataRow("lock table counters", false)]
    [DataRow("lock table counters", true)]
    public async Task What_has_to_come_before_any_snapshot_gets_no_lock_in_front(string first, bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await RunAsync(bed.ConnectionString, async, async context =>
        {
            await context.SqlAsync(async, first);
            await context.IncrementAsync(async);
        });

        Assert.DoesNotContain(static message => message.IsSql(Lock), bed.Proxy.Messages);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_first_statement_that_fails_behind_it_fails_as_itself_and_leaves_no_lock_behind_a_pooler(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var server = FaultProxy.Start(bed.Database.ConnectionString);
        await using var pooler = await PgBouncer.StartAsync(server.Port, Cancellation);

        var failure = await Assert.ThrowsAsync<Exception>(() => RunAsync(
            PgBouncer.Through(pooler, bed.Database.ConnectionString), async, context => context.Counters.Where(counter => 1 / counter.N == 1).ListAsync(async)));

        Assert.AreEqual(PostgresErrorCodes.DivisionByZero, (failure as PostgresException ?? failure.InnerException as PostgresException)?.SqlState, $"{failure}");
        Assert.AreEqual(0L, await bed.Database.ScalarAsync<long>(
            "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())", Cancellation));
        Assert.Contains(static message => message.IsSql(Lock), server.Messages);
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_wait_for_it_takes_nothing_of_the_time_that_the_statement_has(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var holder = await bed.OpenAsync();
        var impatient = $"{bed.ConnectionString};Command Timeout=1;Options=-c statement_timeout=2500ms";
        var rows = 0;
        await RunAsync(impatient, async, async context =>
        {
            await HoldAsync(context);
            rows = (await context.Counters.ListAsync(async, Cancellation)).Count;
        });

        Assert.AreEqual(1, rows);
        Assert.HasCount(1, bed.Proxy.Messages.Where(static message => message.IsSql(Lock)), "It was waited for for 2.5 s, and then done without.");

        async Task HoldAsync(CounterContext context)
        {
            await using var command = context.Counters.CreateDbCommand();
            await holder.ExecuteAsync(
                $"select pg_advisory_lock({LaneLock.Space}, {StatementKey.Of(command)})", Cancellation);
        }
    }

    [TestMethod]
    public async Task What_is_read_from_a_stream_is_not_sent_in_vain()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await bed.Database.ExecuteAsync("insert into items(name) values ('streamed')", Cancellation);
        await using var role = await LimitedRole.CreateAsync(bed, ["pg_try_advisory_lock(int, int)"], Cancellation);
        var found = 0;
        await RunAsync(role.ConnectionString, true, async context =>
        {
            using var stream = new MemoryStream(Encoding.UTF8.GetBytes("streamed"));
            var name = new NpgsqlParameter("name", NpgsqlDbType.Bytea) { Value = stream };
            found = (await context.Items.FromSqlRaw("select * from items where name = convert_from(@name, 'UTF8')", name).ToListAsync(Cancellation)).Count;
        });

        Assert.AreEqual(1, found);
        Assert.Contains(static message => message.IsSql(Lock), bed.Proxy.Messages);
    }

    private static async Task WorkAsync(CounterContext context, string unit, bool async)
    {
        switch (unit)
        {
            case "query":
                Assert.HasCount(1, await context.Counters.ListAsync(async));
                break;
            case "query and save":
                (await context.Counters.ListAsync(async)).Single().N++;
                Assert.AreEqual(1, await context.SaveAsync(async));
                break;
            case "ExecuteUpdate":
                Assert.AreEqual(1, await context.IncrementAsync(async));
                break;
            case "save":
                context.Items.Add(new() { Name = "saved" });
                Assert.AreEqual(1, await context.SaveAsync(async));
                break;
            default:
                Assert.AreEqual(1, await context.SqlAsync(async, "update counters set n = n + 1"));
                break;
        }
    }

    private CounterContext Context(string connectionString)
        => new(new DbContextOptionsBuilder<CounterContext>()
            .UseInternalServiceProvider(_services)
            .UseNpgsql(connectionString)
            .UseDbRetry(RetryBed.Quick)
            .Options);

    private async Task RunAsync(string connectionString, bool async, Func<CounterContext, Task> work, FaultProxy? counting = null)
    {
        await using var context = Context(connectionString);
        await context.Database.OpenConnectionAsync(Cancellation);
        var attempts = 0;
        await context.Database.CreateExecutionStrategy().RunAsync(async, AttemptAsync, Cancellation);
        Assert.AreEqual(2, attempts);

        async Task AttemptAsync()
        {
            context.ChangeTracker.Clear();
            var transaction = await context.BeginAsync(async, IsolationLevel.RepeatableRead);
            try
            {
                if (++attempts == 1)
                {
                    await context.FailAsync(async, "40001");
                }

                counting?.Arm();
                await work(context);
                await transaction.CommitAsync(async);
            }
            finally
            {
                await transaction.EndAsync(async);
            }
        }
    }
}
