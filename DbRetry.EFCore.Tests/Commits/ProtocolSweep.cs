using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>What came of an operation in which one protocol message failed.</summary>
internal enum SweepOutcome
{
    ExactlyOnce,
    FailedCleanly,
    FailedNeedlessly,
    AppliedTwice,
    LostSilently,
    AppliedButThrew,
}

/// <summary>Runs an operation once for each protocol message that it takes, and fails at that message.</summary>
internal static class ProtocolSweep
{
    private static readonly FaultMoment[] FrontendMoments = [FaultMoment.BeforeForward, FaultMoment.AfterProcessed];
    private static readonly FaultMoment[] BackendMoments = [FaultMoment.BeforeForward];

    public static async Task<List<(string Point, SweepOutcome Outcome, Exception? Error)>> RunAsync(
        SweepOperation operation, bool async, FaultAction action, Action<DbRetryOptions> configure, CancellationToken cancellationToken)
    {
        await using var bed = await RetryBed.CreateAsync(cancellationToken);
        var options = new DbContextOptionsBuilder<CounterContext>()
            .UseNpgsql(
                $"{bed.Proxy.Through(bed.Database.ConnectionString)};Command Timeout=1;Cancellation Timeout=-1;Timeout=1;Maximum Pool Size=4",
                npgsql => npgsql.MaxBatchSize(SweepOperation.BatchSize))
            .UseDbRetry(RetryBed.Quick).UseDbRetry(configure).Options;

        var messages = await CleanRunAsync(bed, options, operation, async);
        var results = new List<(string, SweepOutcome, Exception?)>();
        foreach (var message in messages)
        {
            foreach (var moment in Moments(message, action))
            {
                await bed.ClearAsync();
                await WarmAsync(options);

                // Both sides talk at once now and then, so the same number may be the other side's this time.
                bed.Proxy.Arm(new FaultPoint(passing => passing.Number >= message.Number && passing.Sender == message.Sender, moment, action));
                var error = await RunAsync(options, operation, async);
                if (bed.Proxy.FaultsFired == 0)
                {
                    continue;
                }

                bed.Proxy.Arm();
                var applied = await bed.AppliedAsync();
                results.Add(($"{moment} {message}", Judge(operation, applied, error), error));
            }
        }

        return results;
    }

    // Behind a silence before COMMIT the server's session lives on and keeps its locks, for as long as the server's own time-outs let it.
    private static FaultMoment[] Moments(ProxiedMessage message, FaultAction action)
        => action.Kind is FaultKind.BlackHole && !message.IsCommit ? []
            : message.Sender == Sender.Frontend ? FrontendMoments
            : BackendMoments;

    private static async Task<IReadOnlyList<ProxiedMessage>> CleanRunAsync(
        RetryBed bed, DbContextOptions<CounterContext> options, SweepOperation operation, bool async)
    {
        // The first run does what is done once in a process, too.
        Assert.IsNull(await RunAsync(options, operation, async), "Without a fault it must work.");
        await bed.ClearAsync();
        bed.Proxy.Arm();
        Assert.IsNull(await RunAsync(options, operation, async), "And again.");
        var messages = bed.Proxy.Messages.ToList();
        Assert.AreEqual((operation.Counter, operation.Items), await bed.AppliedAsync());
        return messages;
    }

    // So that the sweep begins at the operation's own first message and not at the connection's.
    private static async Task WarmAsync(DbContextOptions<CounterContext> options)
    {
        await using var context = new CounterContext(options);
        _ = await context.Counters.CountAsync();
    }

    private static async Task<Exception?> RunAsync(DbContextOptions<CounterContext> options, SweepOperation operation, bool async)
    {
        await using var context = new CounterContext(options);
        try
        {
            await operation.Run(context, async);
            return null;
        }
        catch (Exception exception)
        {
            return exception;
        }
    }

    private static SweepOutcome Judge(SweepOperation operation, (long Counter, long Items) applied, Exception? error)
        => (error, applied) switch
        {
            _ when applied.Counter > operation.Counter || applied.Items > operation.Items => SweepOutcome.AppliedTwice,
            (null, _) when applied == (operation.Counter, operation.Items) => SweepOutcome.ExactlyOnce,
            (null, _) => SweepOutcome.LostSilently,
            (not null, (0, 0)) => operation.MayFail ? SweepOutcome.FailedCleanly : SweepOutcome.FailedNeedlessly,
            _ => SweepOutcome.AppliedButThrew,
        };
}
