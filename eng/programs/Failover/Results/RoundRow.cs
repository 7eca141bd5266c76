using System.Diagnostics;
using DbRetry.EFCore.Tests.Support.Failover;

namespace DbRetry.Failover.Results;

/// <summary>The reckoning of one round.</summary>
/// <param name="Scenario">Its name.</param>
/// <param name="Mode">Its name.</param>
/// <param name="Round">Counted from 1.</param>
/// <param name="WithoutPrimary">Milliseconds, over all outages of the round.</param>
/// <param name="Promotion">Milliseconds of it after the new primary had become one: it waited for a standby.</param>
/// <param name="Acknowledged">Writes whose callers were told that they are done.</param>
/// <param name="Errors">Calls that threw.</param>
/// <param name="Lost">Acknowledged, and not there.</param>
/// <param name="Duplicated">Applied more than once.</param>
/// <param name="Waiting">Callers who were still waiting in the end.</param>
/// <param name="Stale">Acknowledged by the old primary when there was a new one.</param>
/// <param name="Forked">Acknowledged by the old primary on a history of its own, and gone with it.</param>
/// <param name="Attempts">Connections that clients began to make in the outages.</param>
internal sealed record RoundRow(
    string Scenario,
    string Mode,
    int Round,
    double WithoutPrimary,
    double Promotion,
    int Acknowledged,
    int Errors,
    int Lost,
    int Duplicated,
    int Waiting,
    int Stale,
    int Forked,
    int Attempts)
{
    public const string Header =
        "scenario,mode,round,without_primary_ms,of_it_after_promotion_ms,acknowledged,errors,lost,duplicated,still_waiting,stale,forked,connection_attempts";

    public static RoundRow Of(string scenario, string mode, int round, RoundResult result, int attempts) => new(
        scenario,
        mode,
        round,
        result.Outages.Sum(outage => Stopwatch.GetElapsedTime(outage.FaultAt, outage.WritableAt).TotalMilliseconds),
        result.Outages.Sum(outage => Math.Max(0, Stopwatch.GetElapsedTime(Math.Max(outage.PromotedAt, outage.FaultAt), outage.WritableAt).TotalMilliseconds)),
        result.Acknowledged,
        result.Failed.Count,
        result.Lost.Count,
        result.Duplicated,
        result.CutOff,
        result.Stale,
        result.Forked,
        attempts);

    public static RoundRow Parse(string[] fields)
    {
        var numbers = fields[5..].Select(int.Parse).ToArray();
        return new(
            fields[0], fields[1], int.Parse(fields[2]), double.Parse(fields[3]), double.Parse(fields[4]),
            numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6], numbers[7]);
    }

    public override string ToString()
        => $"{Scenario},{Mode},{Round},{WithoutPrimary:0.0},{Promotion:0.0},{Acknowledged},{Errors},{Lost},{Duplicated},{Waiting},{Stale},{Forked},{Attempts}";
}
