using DbRetry.EFCore.Diagnostics;

namespace DbRetry.EFCore.Hosts.Silence;

/// <summary>
/// Notices hosts that have fallen silent under commands that wait for their answers, and ends the wait. A timer runs while anybody waits, and nothing otherwise.
/// </summary>
internal sealed class SilenceWatch(Cluster cluster)
{
    /// <summary>How often those who wait are looked at.</summary>
    internal static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly List<WatchedConnection> _watched = [];
    private readonly long[] _answeredAt = new long[cluster.Hosts.Length];
    private readonly long[] _lookedAroundAt = new long[cluster.Hosts.Length];
    private readonly bool[] _underExamination = new bool[cluster.Hosts.Length];
    private ITimer? _timer;
    private int _abandoned;

    /// <summary>Whether anybody is being watched.</summary>
    internal bool IsRunning => Volatile.Read(ref _timer) is not null;

    /// <summary>How many commands have been given up.</summary>
    internal int Abandoned => Volatile.Read(ref _abandoned);

    internal void Add(WatchedConnection connection, TimeProvider time)
    {
        if (connection.IsListed)
        {
            return;
        }

        lock (_lock)
        {
            if (connection.IsListed)
            {
                return;
            }

            connection.IsListed = true;
            _watched.Add(connection);
            if (_timer is null)
            {
                Start(time);
            }
        }
    }

    internal void Answered(int host, TimeProvider time) => Volatile.Write(ref _answeredAt[host], time.GetTimestamp());

    private void Start(TimeProvider time) => _timer = DetachedWork.Begin(() => time.CreateTimer(_ => Tick(time), null, Interval, Interval));

    private void Tick(TimeProvider time)
    {
        for (var host = 0; host < _underExamination.Length; host++)
        {
            if (Suspect(host, time) is var (waiting, suspicion))
            {
                _ = ExamineAsync(host, waiting, suspicion, time);
            }
        }
    }

    private async Task ExamineAsync(int host, WatchedConnection waiting, Suspicion suspicion, TimeProvider time)
    {
        try
        {
            var route = waiting.Host.Route;
            if (await new HostExamination(cluster, host, waiting, time).IsLostAsync(suspicion).ConfigureAwait(false))
            {
                cluster.Failed(host, stalled: true, time);
                route.ClearPool(host);
                GiveUp(host);
            }
        }
        finally
        {
            lock (_lock)
            {
                _underExamination[host] = false;
            }
        }
    }

    private void GiveUp(int host)
    {
        WatchedConnection[] all;
        lock (_lock)
        {
            all = [.. _watched];
        }

        var endpoint = cluster.Hosts[host];
        var abandoned = all.Count(connection => connection.GiveUp(host));
        Interlocked.Add(ref _abandoned, abandoned);
        RetryInstruments.GaveUp(endpoint.Host, endpoint.Port, abandoned);
    }

    // Lets go of those who do not wait any more, and finds the one who has waited longest for the host.
    private (WatchedConnection Waiting, Suspicion Suspicion)? Suspect(int host, TimeProvider time)
    {
        lock (_lock)
        {
            _watched.RemoveAll(connection => !(connection.IsListed = !connection.Release(time)));
            if (_watched.Count == 0)
            {
                _timer?.Dispose();
                Volatile.Write(ref _timer, null);
                return null;
            }

            if (_underExamination[host] || Oldest(host) is not (var leader, var since))
            {
                return null;
            }

            var suspicion = SilenceRule.Judge(time.GetElapsedTime(since), time.GetElapsedTime(_answeredAt[host]), time.GetElapsedTime(_lookedAroundAt[host]));
            if (suspicion is Suspicion.None || (suspicion is Suspicion.Replaced && (cluster.Hosts.Length == 1 || cluster.Primary != host)))
            {
                return null;
            }

            _underExamination[host] = true;
            _lookedAroundAt[host] = suspicion is Suspicion.Replaced ? time.GetTimestamp() : _lookedAroundAt[host];
            return (leader, suspicion);
        }
    }

    private (WatchedConnection, long)? Oldest(int host)
    {
        (WatchedConnection, long)? oldest = null;
        foreach (var connection in _watched)
        {
            if (connection.WaitsSince(host) is { } since && (oldest is not (_, var known) || since < known))
            {
                oldest = (connection, since);
            }
        }

        return oldest;
    }
}
