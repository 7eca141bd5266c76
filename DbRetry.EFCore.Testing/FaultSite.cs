using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Testing;

/// <summary>Where a context is.</summary>
/// <param name="Moment">Before or after what.</param>
/// <param name="Context">The context.</param>
/// <param name="Unit">What has happened to its unit so far.</param>
/// <param name="Statement">The number of the statement in its transaction, if it is one.</param>
/// <param name="IsAlone">Whether the statement runs outside of a transaction, as far as is known before it has run.</param>
/// <param name="MayWrite">Whether it may write.</param>
internal readonly record struct FaultSite(
    FaultMoment Moment, DbContext Context, UnitHits Unit, int? Statement = null, bool IsAlone = false, bool MayWrite = false);

internal enum FaultMoment
{
    BeforeTransaction,
    BeforeStatement,
    BeforeCommit,

    /// <summary>The server has committed, and nobody knows it yet.</summary>
    Committed,
}

/// <summary>Which of the faults that are planned for every unit have happened to the running one.</summary>
internal sealed class UnitHits
{
    private readonly Dictionary<PlannedFault, int> _hits = [];

    internal int Hits(PlannedFault fault) => _hits.GetValueOrDefault(fault);

    internal void Add(PlannedFault fault) => _hits[fault] = Hits(fault) + 1;

    /// <summary>Another unit begins.</summary>
    internal void Clear() => _hits.Clear();
}
