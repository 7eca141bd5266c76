namespace DbRetry.Demo.Load;

/// <summary>One request and what came of it, as its caller saw it. Times are since the start of the load.</summary>
internal sealed record LedgerEntry(
    Guid RequestId, RequestKind Kind, TimeSpan Started, TimeSpan Ended, Outcome Outcome, string? ServedBy, string? Error);
