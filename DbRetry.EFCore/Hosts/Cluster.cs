using System.Collections.Concurrent;
using System.Collections.Immutable;
using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts.Probing;
using DbRetry.EFCore.Hosts.Silence;
using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Hosts;

/// <summary>The hosts of one DSN and what the process has learnt of them. Shared by every context that names the same hosts.</summary>
internal sealed class Cluster
{
    /// <summary>A failure that took this long held somebody up; a refusal takes a round trip.</summary>
    internal static readonly TimeSpan Stall = TimeSpan.FromMilliseconds(500);

    /// <summary>How long a host that refused is tried last.</summary>
    internal static readonly TimeSpan RefusalPenalty = TimeSpan.FromSeconds(1);

    /// <summary>How long a host that did not answer is not tried while others may serve: about what one more try would cost.</summary>
    internal static readonly TimeSpan StallPenalty = TimeSpan.FromSeconds(5);

    // More than any pool holds; past it the roles are asked anew.
    private const int MaxSessionRoles = 10_000;

    private readonly HostKnowledge[] _knowledge;
    private readonly ConcurrentDictionary<(int Host, int ProcessId), HostRole> _sessionRoles = new();
    private readonly ConcurrentDictionary<int, RetryBudget> _budgets = new();
    private readonly long[] _lookAt;
    private ServerTimeline? _newestTimeline;
    private int _primary = -1;
    private int _latestPrimary = -1;
    private bool _wasAway;
    private int _term;

    internal Cluster(ImmutableArray<HostEndpoint> hosts)
    {
        Hosts = hosts;
        Name = string.Join(',', hosts);
        _knowledge = new HostKnowledge[hosts.Length];
        Array.Fill(_knowledge, HostKnowledge.Nothing);
        _lookAt = new long[hosts.Length];
        Array.Fill(_lookAt, long.MinValue);
        Prober = new HostProber(this);
        Watch = new SilenceWatch(this);
        News = new HostNews(hosts);
    }

    internal ImmutableArray<HostEndpoint> Hosts { get; }

    /// <summary>All hosts, for messages.</summary>
    internal string Name { get; }

    /// <summary>Looks for a host while somebody waits for one.</summary>
    internal HostProber Prober { get; }

    /// <summary>Notices hosts that have fallen silent under commands that wait for their answers.</summary>
    internal SilenceWatch Watch { get; }

    /// <summary>What is new, for those who log and measure.</summary>
    internal HostNews News { get; }

    internal HostKnowledge this[int host] => Volatile.Read(ref _knowledge[host]);

    /// <summary>The host that was last seen to accept writes, or -1.</summary>
    internal int Primary => Volatile.Read(ref _primary);

    /// <summary>How often another primary was found, or the same one after it had been away.</summary>
    internal int Term => Volatile.Read(ref _term);

    /// <summary>Whether any of them was ever seen to accept writes.</summary>
    internal bool HasHadPrimary => News.HasHadPrimary;

    internal int[] Candidates(TargetSession target, TimeProvider time, Random random)
        => CandidateOrder.Order(_knowledge, target, time.GetTimestamp(), random);

    /// <summary>The newest timeline that any host was seen to write.</summary>
    internal ServerTimeline? NewestTimeline => Volatile.Read(ref _newestTimeline);

    /// <summary>Takes in what a host told, or what an open connection to it reports.</summary>
    /// <returns>Its role, in the light of what is known of the others.</returns>
    internal HostRole Saw(int host, HostSighting sighting)
    {
        var known = this[host];
        var timeline = sighting.Role is HostRole.Standby ? null : sighting.Timeline ?? known.Timeline;
        var role = sighting.Role is not HostRole.Standby && timeline is not null && !Advance(timeline) ? HostRole.SupersededPrimary : sighting.Role;
        if (known.AvoidUntil is not null || known.Role != role || known.Timeline != timeline)
        {
            Volatile.Write(ref _knowledge[host], new(role, timeline, null, false));
            News.Saw(host, role);
        }

        if (role is HostRole.Primary)
        {
            if (Primary != host && IsThePrimary(host, timeline))
            {
                if (Interlocked.Exchange(ref _latestPrimary, host) != host | Interlocked.Exchange(ref _wasAway, false))
                {
                    Interlocked.Increment(ref _term);
                }

                Volatile.Write(ref _primary, host);
                News.FoundPrimary(host);
            }
        }
        else
        {
            ForgetPrimary(host);
        }

        Prober.Seen(role);
        return role;
    }

    /// <summary>Takes in which timeline a transaction was written on; false if its server has been superseded.</summary>
    internal bool Advance(ServerTimeline seen)
    {
        while (true)
        {
            var newest = NewestTimeline;
            if (seen == newest)
            {
                return true;
            }

            if (seen.IsSupersededBy(newest))
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _newestTimeline, seen, newest) == newest)
            {
                Supersede(seen);
                return true;
            }
        }
    }

    /// <summary>Somebody is about to connect to the host. One that did not answer lately is tried by one at a time: it may cost the whole limit again.</summary>
    /// <returns>Whether it is such a host, and this one is the one to try it.</returns>
    internal bool Trying(int host, TimeProvider time)
    {
        var known = this[host];
        return known.IsDue(time.GetTimestamp())
            && Interlocked.CompareExchange(ref _knowledge[host], known with { AvoidUntil = Until(StallPenalty, time) }, known) == known;
    }

    /// <summary>Whether the host was the primary once and another one is now: it may have come back as a standby. True for one caller now and then.</summary>
    internal bool TakeLookAtFormerPrimary(int host, TimeProvider time)
    {
        if (!(this[host].Role is HostRole.SupersededPrimary || (this[host].Role is HostRole.Primary && Primary is >= 0 and var primary && primary != host)))
        {
            return false;
        }

        var dueAt = Volatile.Read(ref _lookAt[host]);
        return time.GetTimestamp() >= dueAt && Interlocked.CompareExchange(ref _lookAt[host], Until(RefusalPenalty, time), dueAt) == dueAt;
    }

    /// <summary>Nobody is let in by the host now. That changes nothing in what is known of it: the one who tried may have done so for reasons of his own.</summary>
    internal void Missed(int host)
    {
        if (Volatile.Read(ref _latestPrimary) == host)
        {
            Volatile.Write(ref _wasAway, true);
        }
    }

    /// <summary>The host could not be reached.</summary>
    internal void Failed(int host, bool stalled, TimeProvider time)
    {
        Missed(host);
        Forget(host, new(null, null, Until(stalled ? StallPenalty : RefusalPenalty, time), stalled));
        News.Failed(host);
    }

    /// <summary>A connection to the host was lost, or it refused a write: what was known of it may no longer hold, except that it does not answer.</summary>
    internal void Forget(int host) => Forget(host, this[host] with { Role = null, Timeline = null });

    /// <summary>What was learnt by asking over this physical connection, for servers that do not report their role.</summary>
    internal HostRole? SessionRole(int host, int processId) => _sessionRoles.TryGetValue((host, processId), out var role) ? role : null;

    internal void NoteSession(int host, int processId, HostRole role)
    {
        if (_sessionRoles.Count >= MaxSessionRoles)
        {
            _sessionRoles.Clear();
        }

        _sessionRoles[(host, processId)] = role;
    }

    /// <summary>Takes one retry of a lost connection out of the cluster's budget; false when it is used up.</summary>
    internal bool TryTakeRetry(int capacity, TimeProvider time) => _budgets.GetOrAdd(capacity, static (capacity, time) => new RetryBudget(capacity, time), time).TryTake();

    private static long Until(TimeSpan penalty, TimeProvider time) => time.GetTimestamp() + (long)(penalty.TotalSeconds * time.TimestampFrequency);

    // One whose timeline is not known may be one that was replaced; of two on the same timeline the one that is in use stays.
    private bool IsThePrimary(int host, ServerTimeline? timeline)
        => timeline is null
            ? NewestTimeline is null
            : !(Primary is >= 0 and var other && other != host && this[other].Timeline == timeline);

    // Whoever took writes until now takes them in vain.
    private void Supersede(ServerTimeline newest)
    {
        for (var host = 0; host < _knowledge.Length; host++)
        {
            var known = this[host];
            if (known.Timeline?.IsSupersededBy(newest) == true && known.Role is not HostRole.SupersededPrimary)
            {
                Interlocked.CompareExchange(ref _knowledge[host], known with { Role = HostRole.SupersededPrimary }, known);
                ForgetPrimary(host);
                News.Saw(host, HostRole.SupersededPrimary);
            }
        }
    }

    private void ForgetPrimary(int host)
    {
        if (Interlocked.CompareExchange(ref _primary, -1, host) == host)
        {
            News.LostPrimary();
        }
    }

    private void Forget(int host, HostKnowledge knowledge)
    {
        Volatile.Write(ref _knowledge[host], knowledge);
        ForgetPrimary(host);
        if (!_sessionRoles.IsEmpty)
        {
            _sessionRoles.Clear();
        }
    }
}
