using DbRetry.EFCore.Diagnostics;
using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Hosts.Probing;

/// <summary>
/// Looks for a host in the place of all who wait for one of the same cluster, however many they are, and wakes them when it is there.
/// It works while somebody waits, and is nothing but a check of a counter otherwise.
/// </summary>
internal sealed class HostProber(Cluster cluster)
{
    /// <summary>How long the word of a primary that was not promoted lately is kept back for what the other hosts say.</summary>
    internal static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(250);

    private readonly Lock _lock = new();
    private readonly Task<HostSighting?>[] _asking = [.. Enumerable.Repeat(Task.FromResult<HostSighting?>(null), cluster.Hosts.Length)];
    private readonly ProbeSchedule _schedule = new(cluster.Hosts.Length);
    private readonly long[] _askedAt = new long[cluster.Hosts.Length];
    private readonly Hearsay?[] _hearsay = new Hearsay?[cluster.Hosts.Length];
    private CancellationTokenSource? _run;
    private int _waiting;

    /// <summary>How many wait now.</summary>
    internal int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Whether hosts are being probed.</summary>
    internal bool IsProbing => Volatile.Read(ref _run) is not null;

    /// <summary>Joins those who wait.</summary>
    /// <param name="route">How the hosts are reached.</param>
    /// <param name="target">What is waited for.</param>
    /// <param name="settings">Those of the context.</param>
    /// <param name="rest">How long no news is wanted, after news that was in vain.</param>
    /// <param name="time">The clock.</param>
    /// <param name="random">For the order of the hosts and the pauses.</param>
    /// <param name="blocking">Whether a thread will wait.</param>
    internal HostWaiter Enter(
        HostRoute route, TargetSession target, RetrySettings settings, TimeSpan rest, TimeProvider time, Random random, bool blocking)
    {
        var waiter = new HostWaiter(this, route, target, settings, rest, time, blocking);
        lock (_lock)
        {
            _schedule.Enter(waiter);
            Volatile.Write(ref _waiting, _schedule.Waiting);
            if (_run is null && _schedule.Leader is not null)
            {
                _schedule.Restart();
                Volatile.Write(ref _run, new CancellationTokenSource());
                Start(_run!, time, random);
            }
        }

        return waiter;
    }

    /// <summary>Looks for a primary in the place of those who are about to wait for one.</summary>
    internal async Task LookAheadAsync(HostRoute route, RetrySettings settings, TimeProvider time, Random random)
    {
        using var waiter = Enter(route, TargetSession.ReadWrite, settings, TimeSpan.Zero, time, random, blocking: false);
        await waiter.WaitAsync(settings.HostTimeout, CancellationToken.None).ConfigureAwait(false);
    }

    internal void Leave(HostWaiter waiter)
    {
        lock (_lock)
        {
            _schedule.Leave(waiter);
            Settle();
        }
    }

    /// <summary>Somebody connected to a host.</summary>
    /// <param name="role">Its role; <see langword="null"/> when nobody asked.</param>
    internal void Seen(HostRole? role)
    {
        if (Waiting > 0)
        {
            Wake(schedule => schedule.Seen(role));
        }
    }

    /// <summary>Why a host was no primary when it was asked a moment ago; <see langword="null"/> if it was one, or was not asked.</summary>
    /// <param name="host">The host.</param>
    /// <param name="since">What it was asked before then does not count.</param>
    /// <param name="time">The clock.</param>
    internal string? WhyNoPrimary(int host, long since, TimeProvider time)
        => Volatile.Read(ref _hearsay[host]) is { } heard && heard.AskedAt >= since && time.GetElapsedTime(heard.AskedAt) < Grace ? heard.Reason : null;

    // The thread of the one who happens to be the first must not do the work of all.
    private void Start(CancellationTokenSource run, TimeProvider time, Random random)
        => _ = DetachedWork.Begin(() => Task.Run(
            () => RunAsync(run, new CancellationTokenSource(Timeout.InfiniteTimeSpan, time), time, random)));

    private async Task RunAsync(CancellationTokenSource run, CancellationTokenSource connecting, TimeProvider time, Random random)
    {
        var stop = run.Token;
        var startedAt = time.GetTimestamp();
        var probes = new Task[cluster.Hosts.Length];
        Array.Fill(probes, Task.CompletedTask);
        var names = Task.CompletedTask;
        HostWatch[] watches = [.. Enumerable.Range(0, probes.Length).Select(host => new HostWatch(cluster, host, time))];
        while (true)
        {
            HostWaiter leader;
            int[] hosts;
            lock (_lock)
            {
                if (_run != run)
                {
                    break;
                }

                leader = _schedule.Leader!;
                hosts = _schedule.Begin(random);
            }

            // All are asked before the first answer is judged, by what was known before it: whoever is not asked yet would not be waited for.
            var newest = cluster.NewestTimeline;
            foreach (var host in hosts)
            {
                _askedAt[host] = time.GetTimestamp();
                _asking[host] = watches[host].AskAsync(leader, connecting.Token);
            }

            foreach (var host in hosts)
            {
                probes[host] = HearAsync(host, leader, newest, time, stop);
            }

            if (names.IsCompleted)
            {
                names = LookUpAsync(leader.Route, stop);
            }

            await time.WaitAsync(ProbeSchedule.Pause(time.GetElapsedTime(startedAt), random.NextDouble()), stop)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        // Whoever wants to know what became of a COMMIT needs to hear the others as well.
        connecting.CancelAfter(Grace);
        await Task.WhenAll([.. probes, names]).ConfigureAwait(false);
        foreach (var watch in watches)
        {
            await watch.DisposeAsync().ConfigureAwait(false);
        }

        connecting.Dispose();
        run.Dispose();
    }

    private async Task LookUpAsync(HostRoute route, CancellationToken stop)
    {
        try
        {
            if (await route.LookUpAsync(stop).ConfigureAwait(false) != route)
            {
                Wake(static schedule => schedule.Moved());
            }
        }
        catch (OperationCanceledException)
        {
            // Nobody waits any more.
        }
    }

    // A probe that fails says little: it may be the probe's own fault. What is known of the host is left to those who connect in earnest.
    private async Task HearAsync(int host, HostWaiter leader, ServerTimeline? newest, TimeProvider time, CancellationToken stop)
    {
        var failed = false;
        try
        {
            var sighting = await _asking[host].ConfigureAwait(false);
            RetryInstruments.Probed(cluster.Hosts[host].Host, cluster.Hosts[host].Port, answered: true);
            Hear(host, sighting?.Role is HostRole.Standby ? HostRole.Standby.Describe() : null);
            if (sighting?.MayBeReplaced(newest) is true)
            {
                cluster.Advance(sighting.Value.Timeline!);
                await HearTheOthersAsync(time, stop).ConfigureAwait(false);
            }

            if (stop.IsCancellationRequested && sighting?.Timeline?.IsSupersededBy(cluster.NewestTimeline) is not true)
            {
                return; // Others have connected since and know better. But one that was replaced will not become the primary again unnoticed.
            }

            if (sighting is { } seen)
            {
                cluster.Saw(host, seen);
            }
            else
            {
                Seen(null);
            }
        }
        catch (Exception exception)
        {
            failed = true;
            RetryInstruments.Probed(cluster.Hosts[host].Host, cluster.Hosts[host].Port, answered: false);
            var failure = FailureClassifier.ClassifyProbe(exception, leader.Settings.Rules);
            Hear(host, failure.Kind is FailureKind.HostUnavailable ? failure.Reason : null);
            if (failure.Kind is FailureKind.HostUnavailable)
            {
                cluster.Missed(host);
            }

            if (TurnsAway(host, leader, failure))
            {
                Wake(schedule => schedule.TurnedAway(leader.Route));
            }
        }
        finally
        {
            lock (_lock)
            {
                _schedule.Ended(host, failed);
            }
        }
    }

    // Each of them is judged by a task of its own, which may come later than this one.
    private async Task HearTheOthersAsync(TimeProvider time, CancellationToken stop)
    {
        Task<HostSighting?>[] others = [.. _asking.Where((_, other) => time.GetElapsedTime(_askedAt[other]) < Grace)];
        await Task.WhenAll((IEnumerable<Task>)others).WaitAsync(Grace, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var other in others)
        {
            if (other.IsCompletedSuccessfully && await other.ConfigureAwait(false) is { Timeline: { } timeline })
            {
                cluster.Advance(timeline);
            }
        }
    }

    private void Hear(int host, string? whyNoPrimary)
        => Volatile.Write(ref _hearsay[host], whyNoPrimary is null ? null : new(_askedAt[host], whyNoPrimary));

    private bool TurnsAway(int host, HostWaiter waiter, Failure failure)
        => failure.Kind is FailureKind.Permanent
            && (cluster[host].Role is not { } role || waiter.Target.Match(role) is not TargetSessionMatch.Unfit);

    private void Wake(Func<ProbeSchedule, IReadOnlyList<HostWaiter>> choose)
    {
        IReadOnlyList<HostWaiter> woken;
        lock (_lock)
        {
            woken = choose(_schedule);
            Settle();
        }

        foreach (var waiter in woken)
        {
            waiter.Wake();
        }
    }

    private void Settle()
    {
        Volatile.Write(ref _waiting, _schedule.Waiting);
        if (_run is { } run && _schedule.Leader is null)
        {
            Volatile.Write(ref _run, null);
            _ = run.CancelAsync(); // The thread that brought the news, or that leaves, has better to do than to run what hangs on it.
        }
    }

    private sealed record Hearsay(long AskedAt, string Reason);
}
