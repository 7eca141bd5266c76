namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>The time in which a cluster had no primary, by the servers' own account. Times are Stopwatch timestamps.</summary>
/// <param name="Port">The port of the server that is the primary from then on, as it names it.</param>
/// <param name="FaultAt">When the harm was done.</param>
/// <param name="PromotedAt">When that server had become the primary.</param>
/// <param name="WritableAt">When a write on it was acknowledged for the first time.</param>
internal sealed record Outage(int Port, long FaultAt, long PromotedAt, long WritableAt)
{
    /// <summary>
    /// From when on the old primary was on a history of its own, if it still took writes: what it acknowledged since cannot be demanded of the new one.
    /// </summary>
    public long? ForkedAt { get; init; }

    /// <summary>
    /// Whether a caller that got this acknowledgement was back. One whose COMMIT was on its way to the old primary may be told by the new one what became of
    /// it.
    /// </summary>
    public bool IsOverFor(Call call) => call.Outcome == CallOutcome.Acknowledged && call.Ended > WritableAt
        && (call.Kind == CallKind.Read || call.ServedBy == Port || IsFromBefore(call));

    /// <summary>Whether the old primary acknowledged a call although there was a new one.</summary>
    public bool IsStale(Call call) => call.Outcome == CallOutcome.Acknowledged && call.Ended > PromotedAt
        && call.Kind != CallKind.Read && call.ServedBy != Port && !IsFromBefore(call);

    private bool IsFromBefore(Call call) => ForkedAt is null && call.Started < PromotedAt;
}
