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
}
