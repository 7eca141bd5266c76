using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Hosts.Silence;

/// <summary>Finds out whether a host that keeps commands waiting will ever answer them.</summary>
internal sealed class HostExamination(Cluster cluster, int host, WatchedConnection waiting, TimeProvider time)
{
    /// <summary>How long the host may take to answer a probe before the others are asked as well.</summary>
    internal static readonly TimeSpan Hedge = TimeSpan.FromMilliseconds(100);

    // One probe may fail for reasons of its own.
    private const int Probes = 2;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private readonly ServerTimeline? _timeline = cluster[host].Timeline ?? cluster.NewestTimeline;
    private readonly HostRoute _route = waiting.Host.Route;
    private readonly long _startedAt = time.GetTimestamp();

    private enum Answer
    {
        Heard,
        None,
        Inconclusive,
    }

    // Others were promoted meanwhile: whatever the host may still answer counts for nothing.
    private bool IsReplaced => _timeline?.IsSupersededBy(cluster.NewestTimeline) is true;

    /// <summary>Whether those who wait for the host wait in vain: it answers nobody, or another one has taken its place.</summary>
    internal async Task<bool> IsLostAsync(Suspicion suspicion)
    {
        var answer = AskAsync();
        if (suspicion is Suspicion.Silent && await CompletesAsync(answer, Hedge).ConfigureAwait(false) && await answer.ConfigureAwait(false) is not Answer.None)
        {
            return false;
        }

        using var watcher = cluster.Prober.Enter(
            _route, TargetSession.ReadWrite, waiting.Settings, TimeSpan.Zero, time, waiting.Random, blocking: false);
        if (suspicion is Suspicion.Silent)
        {
            // Whoever wants to connect now had better wait, too.
            cluster.Failed(host, stalled: true, time);
        }

        return await StaysSilentAsync(answer).ConfigureAwait(false)
            || (suspicion is Suspicion.Replaced && await IsReplacedAsync(watcher).ConfigureAwait(false));
    }

    private async Task<bool> StaysSilentAsync(Task<Answer> answer)
    {
        for (var probe = 1; ; probe++)
        {
            while (!await CompletesAsync(answer, Pause).ConfigureAwait(false))
            {
                if (IsReplaced)
                {
                    return true;
                }
            }

            if (await answer.ConfigureAwait(false) is not Answer.None)
            {
                return IsReplaced;
            }

            if (probe >= Probes && time.GetElapsedTime(_startedAt) >= waiting.Settings.HostTimeout)
            {
                return true;
            }

            await time.WaitAsync(Hedge, CancellationToken.None).ConfigureAwait(false);
            answer = AskAsync();
        }
    }

    private async Task<bool> IsReplacedAsync(Probing.HostWaiter watcher)
    {
        await watcher.WaitAsync(waiting.Settings.HostTimeout, CancellationToken.None).ConfigureAwait(false);
        return IsReplaced;
    }

    // By a connection of its own. It is limited by HostTimeout; a token would make Npgsql wait in vain for the server to cancel.
    private async Task<Answer> AskAsync()
    {
        await Task.Yield();
        try
        {
            if (await _route.ProbeAsync(host, TargetSession.ReadWrite, waiting.Settings.HostTimeout, CancellationToken.None).ConfigureAwait(false) is { } sighting)
            {
                cluster.Saw(host, sighting);
            }
        }
        catch (Exception exception)
        {
            var failure = FailureClassifier.ClassifyProbe(exception, waiting.Settings.Rules);
            if (failure.SqlState is null)
            {
                return failure.IsRetriable && !ClientShapes.IsPoolExhausted(failure.Deciding) ? Answer.None : Answer.Inconclusive;
            }
        }

        cluster.Watch.Answered(host, time);
        return Answer.Heard;
    }

    private async Task<bool> CompletesAsync(Task task, TimeSpan limit)
    {
        try
        {
            await task.WaitAsync(limit, time).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
