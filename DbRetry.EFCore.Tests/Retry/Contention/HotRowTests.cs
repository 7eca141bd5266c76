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
