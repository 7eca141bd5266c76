using System.Collections.Concurrent;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;

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

    public static async Task<List<SweepResult>> RunAsync(
        SweepOperation operation, bool async, FaultAction action, Action<DbRetryOptions> configure, CancellationToken cancellationToken)
    {
        await using var lane = await SweepLane.CreateAsync(configure, cancellationToken);
        var results = new List<SweepResult>();
        foreach (var point in await PointsAsync(lane, operation, _ => async, action))
        {
            if (await lane.FailAsync(point) is { } result)
            {
                results.Add(result);
            }
        }

        return results;
    }

    /// <summary>
    /// The same with many points at once, for faults that are mostly waited for. The points of an operation are asynchronous and synchronous in turn.
    /// </summary>
    public static async Task<IReadOnlyCollection<SweepResult>> RunAsync(
        LocalCluster cluster, int lanes, IEnumerable<SweepOperation> operations, FaultAction action, CancellationToken cancellationToken)
    {
        var open = new ConcurrentQueue<SweepLane>();
        try
        {
            await Parallel.ForAsync(0, lanes, cancellationToken, async (_, token) => open.Enqueue(await SweepLane.CreateAsync(Patient, token, cluster)));
            var points = new List<SweepPoint>();
            foreach (var operation in operations)
            {
                open.TryPeek(out var lane);
                points.AddRange(await PointsAsync(lane!, operation, number => number % 2 == 0, action));
            }

            var results = new ConcurrentBag<SweepResult>();
            var next = -1;
            await Task.WhenAll(open.Select(lane => Task.Run(
                async () =>
                {
                    while (Interlocked.Increment(ref next) is var index && index < points.Count)
                    {
                        cancellationToken.ThrowIfCancellationRequested();
                        if (await lane.FailAsync(points[index]) is { } result)
                        {
                            results.Add(result);
                        }
                    }
                },
                cancellationToken)));
            return results;
        }
        finally
        {
            foreach (var lane in open)
            {
                await lane.DisposeAsync();
            }
        }
    }

    // With a command timeout of a second, a busy machine is taken for a silent one now and then.
    private static void Patient(DbRetryOptions options) => options.MaxRetryCount = 10;

    private static async Task<List<SweepPoint>> PointsAsync(SweepLane lane, SweepOperation operation, Func<int, bool> isAsync, FaultAction action)
    {
        var messages = await lane.RecordAsync(operation, isAsync(0));
        return [.. messages
            .SelectMany(message => (message.Sender == Sender.Frontend ? FrontendMoments : BackendMoments).Select(moment => (message, moment)))
            .Select((place, number) => new SweepPoint(operation, isAsync(number), place.message, place.moment, action))];
    }
}
