using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Reflection;
using DbRetry.EFCore.Diagnostics;
using DbRetry.EFCore.Dsn;

namespace DbRetry.EFCore.Hosts;

/// <summary>What was learnt of a host.</summary>
internal enum HostChangeKind
{
    /// <summary>It answered for the first time, again, or in another role than before.</summary>
    Found,

    /// <summary>It cannot be connected to any more.</summary>
    Lost,

    /// <summary>It is the primary in the place of another one.</summary>
    FailedOver,
}

/// <summary>
/// What is new about the hosts of one cluster. It is measured at once, and kept for whoever logs: a cluster belongs to the process, and a log to a context.
/// </summary>
/// <remarks>A connection that was lost is no news of its host, or every incident would be told as often as there were connections.</remarks>
internal sealed class HostNews(ImmutableArray<HostEndpoint> hosts, TimeProvider? time = null)
{
    /// <summary>More than a cluster has to tell before somebody opens a connection again; older news are dropped.</summary>
    private const int MostUntold = 100;

    private readonly Lock _lock = new();
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly ConcurrentQueue<HostChange> _untold = new();
    private readonly HostRole?[] _roles = new HostRole?[hosts.Length];
    private readonly bool[] _lost = new bool[hosts.Length];
    private int _primary = -1;
    private long? _withoutPrimarySince;
    private Failover? _latestFailover;

    /// <summary>Whether any host was ever the primary, as far as this process knows.</summary>
    internal bool HasHadPrimary => Volatile.Read(ref _primary) >= 0;

    internal Failover? LatestFailover => Volatile.Read(ref _latestFailover);

    /// <summary>A host has another role than was known, or none was known.</summary>
    internal void Saw(int host, HostRole role)
    {
        lock (_lock)
        {
            if (_lost[host] || _roles[host] != role)
            {
                Note(new(HostChangeKind.Found, hosts[host].ToString(), role));
                if (_roles[host] is not null && _roles[host] != role)
                {
                    RetryInstruments.RoleChanged(hosts[host].Host, hosts[host].Port, role.TelemetryName());
                }
            }

            _roles[host] = role;
            _lost[host] = false;
        }
    }

    /// <summary>A host is the primary of its cluster from now on, as far as this process knows.</summary>
    internal void FoundPrimary(int host)
    {
        lock (_lock)
        {
            if (_primary >= 0 && _primary != host)
            {
                Note(FailedOver(host));
            }

            _primary = host;
            _withoutPrimarySince = null;
        }
    }

    /// <summary>A host could not be connected to.</summary>
    internal void Failed(int host)
    {
        lock (_lock)
        {
            if (!_lost[host])
            {
                _lost[host] = true;
                Note(new(HostChangeKind.Lost, hosts[host].ToString()));
            }
        }
    }

    /// <summary>The primary is not known any more.</summary>
    internal void LostPrimary()
    {
        lock (_lock)
        {
            _withoutPrimarySince ??= _time.GetTimestamp();
        }
    }

    internal bool TryTake(out HostChange change) => _untold.TryDequeue(out change);

    private HostChange FailedOver(int host)
    {
        var duration = _withoutPrimarySince is { } since ? _time.GetElapsedTime(since) : TimeSpan.Zero;
        var failover = new Failover(new(hosts[host].ToString(), hosts[_primary].ToString(), _time.GetUtcNow(), duration));
        Volatile.Write(ref _latestFailover, failover);
        RetryInstruments.FailedOver(hosts[host].Host, hosts[host].Port, duration);
        return new(HostChangeKind.FailedOver, failover.Event.Host, HostRole.Primary, failover.Event);
    }

    private void Note(HostChange change)
    {
        while (_untold.Count >= MostUntold && _untold.TryDequeue(out _))
        {
        }

        _untold.Enqueue(change);
    }
}

/// <summary>One piece of news.</summary>
internal readonly record struct HostChange(HostChangeKind Kind, string Host, HostRole? Role = null, FailoverEvent? Failover = null);

/// <summary>A failover, and which callbacks have heard of it.</summary>
internal sealed class Failover(FailoverEvent happened)
{
    private readonly ConcurrentDictionary<MethodInfo, bool> _told = new();

    internal FailoverEvent Event { get; } = happened;

    /// <summary>Whether the code of a callback has not been called about it yet; from now on it has.</summary>
    /// <remarks>By its code: contexts whose options are built anew each time would otherwise hear of the same failover again and again.</remarks>
    internal bool IsNewTo(Delegate callback) => !_told.ContainsKey(callback.Method) && _told.TryAdd(callback.Method, true);
}
