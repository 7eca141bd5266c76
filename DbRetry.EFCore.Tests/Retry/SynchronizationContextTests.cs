using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class SynchronizationContextTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow("strategy")]
    [DataRow("verify")]
    [DataRow("policy")]
    public async Task Every_attempt_runs_where_the_caller_is(string what)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var caller = new OneThread();
        var seen = new List<SynchronizationContext?>();

        await caller.RunAsync(() => RunAsync(what, context, () => seen.Add(SynchronizationContext.Current)));

        Assert.HasCount(3, seen);
        Assert.IsTrue(seen.TrueForAll(current => current == caller));
    }

    private static async Task RunAsync(string what, CounterContext context, Action ran)
    {
        var runs = 0;
        switch (what)
        {
            case "verify":
                // Work, check, work.
                await context.Database.CreateExecutionStrategy().ExecuteAsync(
                    0,
                    async (_, _, _) =>
                    {
                        await FailTwiceAsync();
                        return 0;
                    },
                    async (_, _, _) =>
                    {
                        ran();
                        runs++;
                        await Task.Yield();
                        return new ExecutionResult<int>(false, 0);
                    });
                break;
            case "strategy":
                await context.Database.CreateExecutionStrategy().ExecuteAsync(FailTwiceAsync);
                break;
            default:
                await DbRetryPolicy.ExecuteAsync(_ => FailTwiceAsync());
                break;
        }

        async Task FailTwiceAsync()
        {
            ran();
            runs++;
            await Task.Yield();
            if (runs < 3)
            {
                throw RetryUnitTests.Exceptions("conflict");
            }
        }
    }

    /// <summary>Runs what is posted one after the other, as a user interface does.</summary>
    private sealed class OneThread : SynchronizationContext
    {
        private readonly System.Collections.Concurrent.BlockingCollection<(SendOrPostCallback Callback, object? State)> _posted = [];

        public override void Post(SendOrPostCallback d, object? state) => _posted.Add((d, state));

        public Task RunAsync(Func<Task> work)
            => Task.Factory.StartNew(
                () =>
                {
                    SetSynchronizationContext(this);
                    var task = work();
                    task.ContinueWith(_ => _posted.CompleteAdding(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
                    foreach (var (callback, state) in _posted.GetConsumingEnumerable())
                    {
                        callback(state);
                    }

                    task.GetAwaiter().GetResult();
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default);
    }
}
