using System.Diagnostics;
using DbRetry.EFCore.Tests.Support.Failover;
using DbRetry.Failover.Results;
using Npgsql;

namespace DbRetry.Failover;

/// <summary>All rounds of one scenario on one cluster, the modes in turn so that they meet the same moods of the machine.</summary>
internal sealed class ScenarioRun(ScenarioPlan plan, IReadOnlyList<ClientMode> modes, ConnectionAttempts attempts, RawData data, TextWriter output)
{
    public const int Writers = 8;

    public async Task RunAsync(int rounds, CancellationToken cancellationToken)
    {
        await output.WriteLineAsync($"{plan.Name}: {plan.Title}");
        await using var bed = await plan.StartAsync(cancellationToken);
        for (var i = 0; i < rounds; i++)
        {
            foreach (var mode in modes)
            {
                var result = await new Round(bed, mode.Build, Writers, plan.Readers).RunAsync(cancellationToken);
                await ReportAsync(mode, data.RoundsOf(plan.Name, mode.Name) + 1, result, PortsOf(bed.ConnectionString));
                NpgsqlConnection.ClearAllPools();
                await bed.RestoreAsync(cancellationToken);
            }
        }
    }

    private async Task ReportAsync(ClientMode mode, int round, RoundResult result, IReadOnlySet<int> ports)
    {
        var waits = new List<double>();
        for (var i = 0; i < result.Outages.Count; i++)
        {
            var outage = result.Outages[i];
            foreach (var (caller, after) in plan.Readers > 0 ? result.LongestSilences(outage) : result.FirstWrites(outage))
            {
                data.Add(new WaitRow(plan.Name, mode.Name, round, i + 1, caller, after?.TotalMilliseconds));
                waits.Add(after?.TotalMilliseconds ?? double.PositiveInfinity);
            }
        }
        foreach (var call in result.Failed.Concat(result.Lost))
        {
            data.Add(ErrorRow.Of(plan.Name, mode.Name, round, call, result.Outages));
        }
        var connections = result.Outages.Sum(outage => attempts.Between(outage.FaultAt, BackAt(result, outage), ports));
        data.Add(RoundRow.Of(plan.Name, mode.Name, round, result, connections));
        waits.Sort();
        await output.WriteLineAsync(
            $"  round {round}, {mode.Title}: {(plan.Readers > 0 ? "longest silence" : "first write")} after {Texts.Time(waits[0])} to {Texts.Time(waits[^1])}, "
            + $"{result.Failed.Count} errors, {result.Lost.Count} lost, {result.Duplicated} duplicated");
    }

    // An outage lasts until the last writer is back, or until the end where somebody is not, or where it is about readers.
    private long BackAt(RoundResult result, Outage outage)
        => plan.Readers == 0 && result.FirstWrites(outage).Select(first => first.After).ToArray() is var all && all.All(after => after is not null)
            ? outage.WritableAt + (long)(all.Max()!.Value.TotalSeconds * Stopwatch.Frequency)
            : long.MaxValue;

    private static HashSet<int> PortsOf(string connectionString)
        => [.. new NpgsqlConnectionStringBuilder(connectionString).Host!.Split(',').Select(host => int.Parse(host.Split(':')[1]))];
}
