namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>One call and what its caller was told.</summary>
/// <param name="Id">What its row is found by.</param>
/// <param name="Caller">Who made it.</param>
/// <param name="Kind">What was asked for.</param>
/// <param name="Started">A Stopwatch timestamp.</param>
/// <param name="Ended">A Stopwatch timestamp.</param>
/// <param name="Outcome">What the caller was told.</param>
/// <param name="ServedBy">The port of the server that a write was acknowledged by, in the server's own words.</param>
/// <param name="Error">What the call threw.</param>
internal sealed record Call(
    Guid Id, int Caller, CallKind Kind, long Started, long Ended, CallOutcome Outcome, int ServedBy = 0, Exception? Error = null);
