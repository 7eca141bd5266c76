namespace DbRetry.EFCore.Hosts.Probing;

/// <summary>
/// Who waits for a host of a cluster, which hosts are probed next and when, and who is woken by what is seen. Only decides;
/// <see cref="HostProber"/> holds its lock around every call.
/// </summary>
internal sealed class ProbeSchedule(int hosts)
{
    /// <summary>The longest pause between two rounds in the beginning.</summary>
    internal static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(10);

    /// <summary>For how long they stay that short: most failovers take less.</summary>
    internal static readonly TimeSpan Prompt = TimeSpan.FromSeconds(10);

    /// <summary>The longest pause of all.</summary>
    internal static readonly TimeSpan LastPause = TimeSpan.FromMilliseconds(500);

    // Then pauses grow with the outage, so that the end of it is noticed after no more than a hundredth of what it took.
    private const double Share = 0.01;

    private readonly bool[] _underWay = new bool[hosts];
    private readonly bool[] _failed = new bool[hosts];
    private readonly LinkedList<HostWaiter> _waiters = [];

    internal int Waiting => _waiters.Count;

    /// <summary>In whose place hosts are probed: the one who waits longest of those who can; <see langword="null"/> when nobody does.</summary>
    internal HostWaiter? Leader
    {
        get
        {
            foreach (var waiter in _waiters)
            {
                if (waiter.Route.CanProbe)
                {
                    return waiter;
                }
            }

            return null;
        }
    }

    /// <summary>How long to pause before the next round: half of what is allowed at least, so that processes do not probe in step.</summary>
    internal static TimeSpan Pause(TimeSpan probingFor, double random01)
    {
        var longest = Math.Clamp((probingFor - Prompt).TotalMilliseconds * Share, FirstPause.TotalMilliseconds, LastPause.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(longest * (1 + random01) / 2);
    }

    internal void Enter(HostWaiter waiter) => _waiters.AddLast(waiter.Place);

    /// <summary>Somebody waits after nobody did: every host is to be heard, whatever it said then.</summary>
    internal void Restart() => Array.Clear(_failed);

    /// <summary>Does nothing for a waiter that was woken.</summary>
    internal void Leave(HostWaiter waiter)
    {
        if (waiter.Place.List is not null)
        {
            _waiters.Remove(waiter.Place);
        }
    }

    /// <summary>
    /// The hosts to probe now: all in random order, but those whose last probe is still under way, and those where it failed in the last round. They have
    /// to be connected to anew, and one that is starting has better to do.
    /// </summary>
    internal int[] Begin(Random random)
    {
        int[] round = [.. Enumerable.Range(0, _underWay.Length).Where(host => !_underWay[host] && !_failed[host])];
        random.Shuffle(round);
        Array.Clear(_failed);
        Array.ForEach(round, host => _underWay[host] = true);
        return round;
    }

    internal void Ended(int host, bool failed) => (_underWay[host], _failed[host]) = (false, failed);

    /// <summary>Those to be woken because somebody connected to a host. They wait no longer.</summary>
    /// <param name="role">Its role; <see langword="null"/> when nobody asked.</param>
    internal IReadOnlyList<HostWaiter> Seen(HostRole? role)
        => Take(waiter => role is { } known ? waiter.Target.Match(known) is not TargetSessionMatch.Unfit : waiter.Target is TargetSession.Any);

    /// <summary>Those to be woken because a host turned this route away for good: each has to learn it from the host itself.</summary>
    internal IReadOnlyList<HostWaiter> TurnedAway(HostRoute route) => Take(waiter => waiter.Route == route);

    /// <summary>Those to be woken because their hosts have other addresses now.</summary>
    internal IReadOnlyList<HostWaiter> Moved() => Take(static waiter => waiter.Route.Latest != waiter.Route);

    private List<HostWaiter> Take(Predicate<HostWaiter> concerned)
    {
        var taken = new List<HostWaiter>();
        for (var place = _waiters.First; place is not null;)
        {
            var next = place.Next;
            if (place.Value.IsRested && concerned(place.Value))
            {
                _waiters.Remove(place);
                taken.Add(place.Value);
            }

            place = next;
        }

        return taken;
    }
}
