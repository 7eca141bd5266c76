using System.Data;
using DbRetry.EFCore.Tests.Support;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Retry.Contention;

[TestClass]
public sealed class HotRowTests
{
    private const int Writers = 8;
    private const int Each = 20;

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Writers_of_one_row_all_get_through_with_the_default_number_of_retries(bool async)
    {
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        await database.ExecuteAsync(CounterContext.Schema, Cancellation);
        var options = new DbContextOptionsBuilder<CounterContext>().UseNpgsql(database.ConnectionString).UseDbRetry(o => o.MaxRetryCount = 3).Options;

        // Synchronous writers block: the threads of the pool are for everybody.
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => Task.Factory.StartNew(
            () => WriteAsync(options, async), Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap()));

        Assert.AreEqual((long)Writers * Each, await database.ScalarAsync<long>("select n from counters", Cancellation));
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Writers_of_one_row_wait_for_each_other_and_those_of_another_row_do_not(bool async)
    {
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        await database.ExecuteAsync(CounterContext.Schema + "insert into counters values (2, 0);", Cancellation);
        var options = new DbContextOptionsBuilder<CounterContext>().UseNpgsql(database.ConnectionString).UseDbRetry(o => o.MaxRetryCount = 5).Options;
        var (isIn, mayEnd) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource());
        await LoseOnceAsync();

        // They learn by losing while somebody is in.
        var first = Start(async context =>
        {
            await ReadAsync(context, 1);
            isIn.TrySetResult();
            await mayEnd.Task;
        });
        await isIn.Task;
        for (var i = 0; i < 8; i++)
        {
            await LoseOnceAsync();
        }

        var second = Start(context => ReadAsync(context, 1));
        await Start(context => ReadAsync(context, 2));
        Assert.IsFalse(first.IsCompleted || second.IsCompleted);
        mayEnd.SetResult();
        await Task.WhenAll(first, second);

        Task LoseOnceAsync()
        {
            var attempts = 0;
            return Start(async context =>
            {
                await ReadAsync(context, ++attempts == 1 ? 1 : 2);
                if (attempts == 1)
                {
                    await context.FailAsync(async, "40001");
                }
            });
        }

        // Synchronous units block: the threads of the pool are for everybody.
        Task Start(Func<CounterContext, Task> work)
            => Task.Factory.StartNew(() => RunAsync(work), Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();

        async Task RunAsync(Func<CounterContext, Task> work)
        {
            await using var context = new CounterContext(options);
            var strategy = context.Database.CreateExecutionStrategy();
            if (async)
            {
                await strategy.ExecuteAsync(WorkAsync);
            }
            else
            {
                strategy.Execute(() => WorkAsync().GetAwaiter().GetResult());
            }

            async Task WorkAsync() => await work(context);
        }

        Task<List<CounterContext.Counter>> ReadAsync(CounterContext context, int id)
            => context.Counters.Where(counter => counter.Id == id).ListAsync(async, Cancellation);
    }

    private async Task WriteAsync(DbContextOptions<CounterContext> options, bool async)
    {
        for (var i = 0; i < Each; i++)
        {
            await using var context = new CounterContext(options);
            await context.Database.CreateExecutionStrategy().RunAsync(async, () => IncrementAsync(context, async), Cancellation);
        }
    }

    private async Task IncrementAsync(CounterContext context, bool async)
    {
        context.ChangeTracker.Clear();
        var transaction = await context.BeginAsync(async, IsolationLevel.Serializable);
        try
        {
            var counter = (await context.Counters.ListAsync(async, Cancellation)).Single();
            counter.N++;
            await context.SaveAsync(async, Cancellation);
            await transaction.CommitAsync(async);
        }
        finally
        {
            await transaction.EndAsync(async);
        }
    }
}
