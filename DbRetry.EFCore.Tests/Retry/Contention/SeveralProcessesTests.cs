using System.Data;
using DbRetry.EFCore.Retry.Contention;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;
using DbRetry.EFCore.Tests.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry.Contention;

/// <summary>Units that fight over rows with those of other processes, which know nothing of each other: each has EF services of its own.</summary>
[TestClass]
public sealed class SeveralProcessesTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);

    // Of whatever kind: no application runs in a test's database.
    private static readonly string Locks = LocksOf("true");
    private static readonly string Waiting = LocksOf("not granted");

    private readonly List<ServiceProvider> _processes = [];

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestCleanup]
    public void EndProcesses() => _processes.ForEach(static process => process.Dispose());

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Who_lost_waits_for_a_unit_of_another_process_and_reads_what_that_wrote(bool async)
    {
        await using var database = await CreateAsync();
        var (isIn, mayEnd) = (Source(), Source());
        var first = Start(Process(database.ConnectionString), async, HoldAsync);
        await isIn.Task.WaitAsync(Cancellation);
        var second = Start(Process(database.ConnectionString), async, () => Task.CompletedTask);
        await WaitsAsync(database);

        mayEnd.SetResult();

        Assert.AreEqual(2, await first);
        Assert.AreEqual(2, await second, "The one that it was made to lose, and one that waited for its turn.");
        Assert.AreEqual(2L, await database.ScalarAsync<long>("select n from counters", Cancellation));
        Assert.AreEqual(0L, await database.ScalarAsync<long>(Locks, Cancellation));

        async Task HoldAsync()
        {
            isIn.SetResult();
            await mayEnd.Task;
        }
    }

    [TestMethod]
    [Timeout(120_000, CooperativeCancellation = true)]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Writers_of_one_row_in_four_processes_that_have_all_lost_before_all_get_through_with_the_default_options(bool async)
    {
        const int Processes = 4;
        const int Writers = 4;
        const int Each = 10;
        await using var database = await CreateAsync();
        var options = Enumerable.Range(0, Processes).Select(_ => Process(database.ConnectionString)).ToArray();

        // One that has never lost does not take the lock, and can make another one lose until that has no retry left.
        foreach (var process in options)
        {
            await Start(process, async, () => Task.CompletedTask);
        }

        await Task.WhenAll(Enumerable.Range(0, Processes * Writers).Select(writer => Task.Factory.StartNew(
            () => WriteAsync(options[writer % Processes]), Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap()));

        Assert.AreEqual((long)Processes * (1 + (Writers * Each)), await database.ScalarAsync<long>("select n from counters", Cancellation));
        Assert.AreEqual(0L, await database.ScalarAsync<long>(Locks, Cancellation));

        async Task WriteAsync(DbContextOptions<CounterContext> process)
        {
            for (var i = 0; i < Each; i++)
            {
                await IncrementAsync(process, async, losesOnce: false, () => Task.CompletedTask, Cancellation);
            }
        }
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Who_is_cancelled_while_it_waits_leaves_no_lock_behind(bool pooler)
    {
        await using var database = await CreateAsync();
        await using var server = FaultProxy.Start(database.ConnectionString);
        await using var program = pooler ? await PgBouncer.StartAsync(server.Port, Cancellation) : null;
        var connectionString = program is null ? database.ConnectionString : PgBouncer.Through(program, database.ConnectionString);
        await using var holder = await HoldAsync(database);
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var waiting = Start(Process(connectionString), true, () => Task.CompletedTask, source.Token);
        await WaitsAsync(database);

        await source.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => waiting);
        await holder.ExecuteAsync("select pg_advisory_unlock_all()", Cancellation);

        Assert.AreEqual(0L, await database.ScalarAsync<long>(Locks, Cancellation));
        Assert.AreEqual(2, await Start(Process(connectionString), true, () => Task.CompletedTask));
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Who_has_waited_too_long_goes_on_without_the_lock(bool async)
    {
        await using var database = await CreateAsync();
        await using var holder = await HoldAsync(database);
        var impatient = $"{database.ConnectionString};Options=-c statement_timeout=200ms";
        Assert.AreEqual(2, await Start(Process(impatient), async, () => Task.CompletedTask));
        Assert.AreEqual(1L, await database.ScalarAsync<long>(Locks, Cancellation), "The one that was held all the time.");
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Where_the_server_gives_no_such_locks_units_go_on_without(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var role = await LimitedRole.CreateAsync(bed, ["pg_try_advisory_lock(int, int)"], Cancellation);
        var process = Process(role.ConnectionString);
        Assert.AreEqual(2, await Start(process, async, () => Task.CompletedTask));
        Assert.AreEqual(2, await Start(process, async, () => Task.CompletedTask));

        Assert.AreEqual(1, bed.Proxy.Messages.Count(static message => message.IsSql("pg_try_advisory_lock")), "Once refused it is not asked for again.");
        Assert.AreEqual((2L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    [DataRow("pg_try_advisory_lock", false)]
    [DataRow("rollback and chain", false)]
    [DataRow("pg_advisory_xact_lock", false)]
    [DataRow("update counters", false)]
    [DataRow("pg_try_advisory_lock", true)]
    [DataRow("rollback and chain", true)]
    [DataRow("pg_advisory_xact_lock", true)]
    [DataRow("update counters", true)]
    public async Task A_connection_that_is_cut_leaves_no_lock_behind_a_pooler(string sql, bool processed)
    {
        await using var database = await CreateAsync();
        await using var server = FaultProxy.Start(database.ConnectionString);
        await using var pooler = await PgBouncer.StartAsync(server.Port, Cancellation);
        var through = PgBouncer.Through(pooler, database.ConnectionString);
        await using var proxy = FaultProxy.Start(through);
        proxy.Arm(FaultPoint.AtSql(sql, processed ? FaultMoment.AfterProcessed : FaultMoment.BeforeForward, FaultAction.Cut));

        await Start(Process(proxy.Through(through)), true, () => Task.CompletedTask);

        Assert.AreEqual(1, proxy.FaultsFired);
        Assert.AreEqual(1L, await database.ScalarAsync<long>("select n from counters", Cancellation));
        await NoLocksAsync(database);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_unit_that_fails_leaves_no_lock_behind_a_pooler(bool async)
    {
        await using var database = await CreateAsync();
        await using var server = FaultProxy.Start(database.ConnectionString);
        await using var pooler = await PgBouncer.StartAsync(server.Port, Cancellation);
        await Assert.ThrowsExactlyAsync<NotSupportedException>(
            () => Start(Process(PgBouncer.Through(pooler, database.ConnectionString)), async, () => throw new NotSupportedException()));
        await NoLocksAsync(database);
    }

    [TestMethod]
    [DataRow(false, null)]
    [DataRow(true, null)]
    [DataRow(false, "pg_try_advisory_lock(int, int)")]
    [DataRow(true, "pg_try_advisory_lock(int, int)")]
    public async Task A_unit_that_begins_with_a_save_in_an_adopting_scope_still_has_both_savepoints_behind_the_lock(bool async, string? refused)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var role = await LimitedRole.CreateAsync(bed, refused is null ? [] : [refused], Cancellation);
        await using var context = new CounterContext(Process(role.ConnectionString));
        var attempts = 0;
        await context.Database.CreateExecutionStrategy().RunAsync(async, AttemptAsync, Cancellation);

        Assert.AreEqual(2, attempts);
        Assert.AreEqual((0L, 1L), await bed.AppliedAsync());
        Assert.HasCount(1, bed.Proxy.Messages.Where(static message => message.IsSql("pg_try_advisory_lock")));

        async Task AttemptAsync()
        {
            context.ChangeTracker.Clear();
            var transaction = await context.BeginAsync(async, IsolationLevel.Serializable);
            try
            {
                if (++attempts == 1)
                {
                    await context.FailAsync(async, "40001");
                }

                var scope = await context.BeginScopeAsync(async);
                context.Items.Add(new() { Name = "taken" });
                await context.SaveAsync(async, Cancellation);
                await scope.CompleteAsync(async);
                await scope.EndAsync(async);
                context.Items.Add(new() { Name = "taken" });
                await Assert.ThrowsExactlyAsync<DbUpdateException>(() => context.SaveAsync(async, Cancellation), "It rolls back to its own savepoint.");
                await transaction.CommitAsync(async);
            }
            finally
            {
                await transaction.EndAsync(async);
            }
        }
    }

    [TestMethod]
    public async Task Where_conflicts_do_not_queue_nobody_asks_for_a_lock()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await Start(Process(bed.ConnectionString, static options => options.QueueConflicts = false), true, () => Task.CompletedTask);
        Assert.DoesNotContain(static message => message.IsSql("advisory"), bed.Proxy.Messages);
    }

    private static string LocksOf(string which)
        => $"select count(*) from pg_locks where locktype = 'advisory' and {which} and database = (select oid from pg_database where datname = current_database())";

    private static TaskCompletionSource Source() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task<TestDatabase> CreateAsync()
    {
        var database = await TestDatabase.CreateAsync(Cancellation);
        await database.ExecuteAsync(CounterContext.Schema, Cancellation);
        return database;
    }

    private DbContextOptions<CounterContext> Process(string connectionString, Action<DbRetryOptions>? configure = null)
    {
        var services = new ServiceCollection().AddEntityFrameworkNpgsql().AddEntityFrameworkDbRetry().BuildServiceProvider();
        _processes.Add(services);
        return new DbContextOptionsBuilder<CounterContext>()
            .UseInternalServiceProvider(services)
            .UseNpgsql(connectionString)
            .UseDbRetry(options => configure?.Invoke(options))
            .Options;
    }

    // The lock that units of IncrementAsync will want, held by somebody who never ends.
    private async Task<NpgsqlConnection> HoldAsync(TestDatabase database)
    {
        var (isIn, mayEnd) = (Source(), Source());
        var unit = Start(Process(database.ConnectionString), true, async () =>
        {
            isIn.SetResult();
            await mayEnd.Task;
        });
        await isIn.Task.WaitAsync(Cancellation);
        var lane = await database.ScalarAsync<long>("select objid::int8 from pg_locks where locktype = 'advisory'", Cancellation);
        mayEnd.SetResult();
        await unit;
        await database.ExecuteAsync("update counters set n = 0", Cancellation);
        var holder = await database.OpenAsync(Cancellation);
        await holder.ExecuteAsync($"select pg_advisory_lock({LaneLock.Space}, {unchecked((int)lane)})", Cancellation);
        return holder;
    }

    private Task WaitsAsync(TestDatabase database)
        => Poll.UntilAsync(
            async () => await database.ScalarAsync<long>(Waiting, Cancellation) == 1, Soon, static () => "nobody waits for the lock", Cancellation);

    // A session whose client is gone ends by itself.
    private Task NoLocksAsync(TestDatabase database)
        => Poll.UntilAsync(
            async () => await database.ScalarAsync<long>(Locks, Cancellation) == 0, Soon, static () => "a lock is left behind", Cancellation);

    // Synchronous units block: the threads of the pool are for everybody.
    private Task<int> Start(DbContextOptions<CounterContext> process, bool async, Func<Task> inside, CancellationToken? cancellationToken = null)
        => Task.Factory.StartNew(
            () => IncrementAsync(process, async, losesOnce: true, inside, cancellationToken ?? Cancellation),
            Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();

    /// <returns>How many attempts it took.</returns>
    private static async Task<int> IncrementAsync(
        DbContextOptions<CounterContext> process, bool async, bool losesOnce, Func<Task> inside, CancellationToken cancellationToken)
    {
        var attempts = 0;
        await using var context = new CounterContext(process);
        await context.Database.CreateExecutionStrategy().RunAsync(async, AttemptAsync, cancellationToken);
        return attempts;

        async Task AttemptAsync()
        {
            context.ChangeTracker.Clear();
            var transaction = await context.BeginAsync(async, IsolationLevel.Serializable);
            try
            {
                if (++attempts == 1 && losesOnce)
                {
                    await context.FailAsync(async, "40001");
                }

                var counter = (await context.Counters.ListAsync(async, cancellationToken)).Single();
                await inside();
                counter.N++;
                await context.SaveAsync(async, cancellationToken);
                await transaction.CommitAsync(async);
            }
            finally
            {
                await transaction.EndAsync(async);
            }
        }
    }
}
