using System.Collections.Concurrent;
using System.Reflection;
using DbRetry.EFCore.Hosts;

namespace DbRetry.EFCore.Retry.Contention;

/// <summary>A kind of unit: its units run the same code against the same cluster, and so fight over the same rows if they fight at all.</summary>
internal readonly record struct UnitKind(Cluster Cluster, MethodInfo Code, Type Context);

/// <summary>The gates of this process. There are none as long as nobody loses a conflict, and those where nobody does any more go away.</summary>
internal sealed class AdmissionGates(TimeProvider time)
{
    private readonly ConcurrentDictionary<UnitKind, AdmissionGate> _gates = new();
    private int _count;

    /// <summary>Whether there is any: read before each unit, so it must cost nothing.</summary>
    internal bool Any => Volatile.Read(ref _count) > 0;

    internal AdmissionGate? Find(UnitKind kind) => _gates.GetValueOrDefault(kind);

    internal AdmissionGate Get(UnitKind kind)
    {
        if (!_gates.TryGetValue(kind, out var gate))
        {
            gate = _gates.GetOrAdd(kind, static (_, time) => new AdmissionGate(time), time);
            Volatile.Write(ref _count, _gates.Count);
        }

        return gate;
    }

    internal void RemoveIfCalm(UnitKind kind, AdmissionGate gate)
    {
        if (gate.IsCalm && _gates.TryRemove(KeyValuePair.Create(kind, gate)))
        {
            Volatile.Write(ref _count, _gates.Count);
        }
    }
}
