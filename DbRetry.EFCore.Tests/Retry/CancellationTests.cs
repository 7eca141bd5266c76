using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class CancellationTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_caller_who_cancels_while_a_retry_is_waited_for_is_obeyed_at_once()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var time = new ManualTime();
        await using var services = time.Services();
        using var caller = new CancellationTokenSource();
        await using var context = bed.Context(null, builder => builder
            .UseInternalServiceProvider(services)
            .LogTo((id, _) => id == CoreEventId.ExecutionStrategyRetrying, _ => caller.Cancel()));
        var attempts = 0;

        // The clock stands still: the wait itself would never end.
        await Assert.ThrowsAsync<OperationCanceledException>(() => context.Database.CreateExecutionStrategy().ExecuteAsync(
            async token =>
            {
                attempts++;
                await context.Database.ExecuteSqlRawAsync(RetryTimes.Raise("40001"), token);
            },
            caller.Token));

        Assert.AreEqual(1, attempts);
    }

    [TestMethod]
    public async Task A_caller_who_cancels_while_a_host_is_waited_for_is_obeyed_at_once()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var time = new ManualTime();
        await using var services = time.Services();
        await using var context = bed.Context(null, builder => builder.UseInternalServiceProvider(services));
        using var caller = new CancellationTokenSource();
        bed.Proxy.RefuseConnections();
        var query = context.Counters.CountAsync(caller.Token);
        while (time.Pending == 0)
        {
            Assert.IsFalse(query.IsCompleted);
            await Task.Delay(5, Cancellation);
        }

        await caller.CancelAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(() => query);
    }

    [TestMethod]
    public async Task A_caller_who_cancels_while_connecting_is_obeyed_and_nothing_is_tried_again()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        using var caller = new CancellationTokenSource();
        bed.Proxy.IgnoreConnections();
        var before = bed.Proxy.ConnectionCount;
        var query = context.Counters.CountAsync(caller.Token);
        while (bed.Proxy.ConnectionCount == before)
        {
            await Task.Delay(5, Cancellation);
        }

        await caller.CancelAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(() => query);
        Assert.AreEqual(before + 1, bed.Proxy.ConnectionCount);
    }

    [TestMethod]
    public async Task A_caller_who_cancels_a_running_statement_is_obeyed_and_it_is_not_run_again()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        using var caller = new CancellationTokenSource();
        bed.Proxy.Arm(FaultPoint.AtSql("pg_sleep", FaultMoment.AfterForward, FaultAction.Delay(TimeSpan.Zero)));
        var statement = context.Database.ExecuteSqlRawAsync("select pg_sleep(600)", caller.Token);
        await bed.Proxy.FirstFault;

        await caller.CancelAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(() => statement);
        Assert.AreEqual(1, bed.Proxy.Messages.Count(message => message.IsSql("pg_sleep")));
    }

    [TestMethod]
    public async Task Who_has_cancelled_before_gets_nothing_run()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        var ran = false;

        await Assert.ThrowsAsync<OperationCanceledException>(() => context.Database.CreateExecutionStrategy().ExecuteAsync(
            _ =>
            {
                ran = true;
                return Task.CompletedTask;
            },
            new CancellationToken(canceled: true)));

        Assert.IsFalse(ran);
        Assert.AreEqual(0L, await context.Items.CountAsync(async: true), "the context is free for other work");
    }
}
