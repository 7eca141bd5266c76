using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Testing;

/// <summary>A fault, where it is to happen, and how often it has.</summary>
internal sealed class PlannedFault(DbRetryFaultKind kind, int times, int? statement, string? sqlState, DbContext? only, bool inEveryUnit)
{
    internal DbRetryFaultKind Kind => kind;

    internal string? SqlState => sqlState;

    internal bool InEveryUnit => inEveryUnit;

    internal int Hits { get; set; }

    internal bool IsLeft => inEveryUnit ? Hits == 0 : Hits < times;

    internal bool Fits(FaultSite site) => IsThere(site) && (only is null || ReferenceEquals(only, site.Context)) && HitsSoFar(site) < times;

    public override string ToString()
    {
        var what = kind switch
        {
            DbRetryFaultKind.ConnectionLost => $"a connection lost before {Place}",
            DbRetryFaultKind.AcknowledgementLost => "a lost acknowledgement of COMMIT",
            DbRetryFaultKind.Conflict => $"a conflict ({sqlState}) at {Place}",
            _ => "a demoted primary",
        };
        var where = only is null ? string.Empty : $" of one {only.GetType().Name}";
        return inEveryUnit ? $"{what}{where} in every unit (never hit)" : $"{what}{where} ({Hits} of {times})";
    }

    private string Place => statement is { } number ? $"statement {number}" : "COMMIT";

    private int HitsSoFar(FaultSite site) => inEveryUnit ? site.Unit.Hits(this) : Hits;

    private bool IsThere(FaultSite site)
        => kind switch
        {
            DbRetryFaultKind.AcknowledgementLost => site.Moment is FaultMoment.Committed,
            DbRetryFaultKind.PrimaryDemoted => site.Moment is FaultMoment.BeforeTransaction || IsLoneWrite(site),
            _ when statement is { } number => site.Moment is FaultMoment.BeforeStatement && site.Statement == number,
            _ => site.Moment is FaultMoment.BeforeCommit || IsLoneWrite(site),
        };

    // Its transaction begins and ends with it, unseen, or seen only when it has run.
    private static bool IsLoneWrite(FaultSite site) => site is { Moment: FaultMoment.BeforeStatement, IsAlone: true, MayWrite: true };
}
