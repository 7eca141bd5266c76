using System.Diagnostics;

namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>What callers were told in one round, held against what the primary has in the end.</summary>
/// <param name="calls">Everybody's calls.</param>
/// <param name="outages">What was done, in order.</param>
/// <param name="rows">How often each call was applied.</param>
internal sealed class RoundResult(IReadOnlyList<Call> calls, IReadOnlyList<Outage> outages, IReadOnlyDictionary<Guid, long> rows)
{
    public IReadOnlyList<Call> Calls => calls;

    public IReadOnlyList<Outage> Outages => outages;

    /// <summary>Writes whose callers were told that they are done.</summary>
    public int Acknowledged => Writes.Count();

    public IReadOnlyList<Call> Failed { get; } = [.. calls.Where(call => call.Outcome == CallOutcome.Failed)];

    /// <summary>Callers who were still waiting when the round was over.</summary>
    public int CutOff => calls.Count(call => call.Outcome == CallOutcome.CutOff);

    /// <summary>Acknowledged, and not there.</summary>
    public IReadOnlyList<Call> Lost => [.. Writes.Where(call => !rows.ContainsKey(call.Id) && !IsForked(call))];

    /// <summary>Acknowledged by a server that had lost its right to, and gone with it: nobody could have kept them.</summary>
    public int Forked => Writes.Count(call => !rows.ContainsKey(call.Id) && IsForked(call));

    /// <summary>Acknowledged by an old primary after there was a new one.</summary>
    public int Stale => Writes.Count(call => outages.LastOrDefault(outage => outage.PromotedAt < call.Ended)?.IsStale(call) is true);

    /// <summary>Applied more than once, whatever the caller was told.</summary>
    public int Duplicated { get; } = rows.Values.Count(count => count > 1);

    private IEnumerable<Call> Writes => calls.Where(call => call.Outcome == CallOutcome.Acknowledged && call.Kind != CallKind.Read);

    /// <summary>
    /// How long after an outage each writer was served again, or null if it was not: the outage that it saw apart from the time without a primary.
    /// </summary>
    public IEnumerable<(int Caller, TimeSpan? After)> FirstWrites(Outage outage)
        => from call in calls
           where call.Kind != CallKind.Read
           group call by call.Caller into own
           orderby own.Key
           let first = own.Where(outage.IsOverFor).MinBy(call => call.Ended)
           select (own.Key, first is null ? null : (TimeSpan?)Stopwatch.GetElapsedTime(outage.WritableAt, first.Ended));

    /// <summary>The longest time that each reader was without an answer since the fault of an outage, or null if it had none since.</summary>
    public IEnumerable<(int Caller, TimeSpan? After)> LongestSilences(Outage outage)
        => from call in calls
           where call.Kind == CallKind.Read && call.Outcome == CallOutcome.Acknowledged
           group call.Ended by call.Caller into own
           orderby own.Key
           let answers = own.Where(at => at > outage.FaultAt).Order().ToArray()
           select (own.Key, answers is [] ? null : (TimeSpan?)answers.Prepend(outage.FaultAt).Zip(answers, Stopwatch.GetElapsedTime).Max());

    private bool IsForked(Call call) => outages.Any(outage => outage.ForkedAt < call.Ended && outage.Port != call.ServedBy);
}
