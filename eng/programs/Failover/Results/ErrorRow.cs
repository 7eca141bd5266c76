using System.Diagnostics;
using DbRetry.Demo.Load;
using DbRetry.EFCore.Tests.Support.Failover;

namespace DbRetry.Failover.Results;

/// <summary>One call that threw, or whose write was lost.</summary>
/// <param name="Scenario">Its name.</param>
/// <param name="Mode">Its name.</param>
/// <param name="Round">Counted from 1.</param>
/// <param name="Caller">Who made it.</param>
/// <param name="Kind">What was asked for.</param>
/// <param name="Started">Milliseconds since the first fault of the round.</param>
/// <param name="Ended">Milliseconds since the first fault of the round.</param>
/// <param name="Text">What it was about, in a line.</param>
/// <param name="Details">All of it, where it is ours.</param>
internal sealed record ErrorRow(
    string Scenario, string Mode, int Round, int Caller, CallKind Kind, double Started, double Ended, string Text, string? Details)
{
    public const string Header = "scenario,mode,round,caller,kind,started_ms,ended_ms,error";

    public static ErrorRow Of(string scenario, string mode, int round, Call call, IReadOnlyList<Outage> outages)
    {
        var fault = outages is [var first, ..] ? first.FaultAt : call.Started;
        return new(
            scenario,
            mode,
            round,
            call.Caller,
            call.Kind,
            Since(call.Started),
            Since(call.Ended),
            call.Error is { } error ? ErrorText.Of(error) : $"LOST: acknowledged by port {call.ServedBy}",
            mode == ClientMode.DbRetry.Name ? call.Error?.ToString() ?? "" : null);

        double Since(long at) => Stopwatch.GetElapsedTime(fault, at).TotalMilliseconds;
    }

    public override string ToString()
        => $"{Scenario},{Mode},{Round},{Caller},{Kind},{Started:0.0},{Ended:0.0},\"{Text.Replace("\"", "\"\"")}\"";
}
