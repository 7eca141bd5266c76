using System.Globalization;
using DbRetry.Bench.Output;
using DbRetry.Bench.Overhead;

namespace DbRetry.Bench.Growth;

/// <summary>What grows with what an application does: tracked entities, waiting units, rows, operations.</summary>
internal sealed class GrowthBench(TimeSpan length, bool quick, Results results)
{
    private readonly List<string[]> _rows = [];

    public async Task RunAsync()
    {
        await using var server = await BenchServer.StartAsync(ItemContext.Schema);
        Console.WriteLine($"PostgreSQL {server.Version}, {length.TotalSeconds:0.#} s for each measurement");
        foreach (var part in new Func<Task<IReadOnlyList<Finding>>>[]
        {
            () => TrackedEntities.MeasureAsync(server, length),
            () => LongResult.MeasureAsync(server, quick ? 200_000 : 1_000_000),
            () => ManyOperations.MeasureAsync(server, quick ? [2_000, 20_000] : [10_000, 100_000, 1_000_000]),
            () => Waiters.MeasureAsync(server, 1000),
        })
        {
            Show(await part());
        }
        results.WriteCsv("growth.csv", [["question", "case", "measure", "value", "verdict"], .. _rows]);
    }

    private void Show(IReadOnlyList<Finding> findings)
    {
        var table = new TextTable([findings[0].Question, .. findings[0].Values.Select(static value => value.Measure), "verdict"]);
        foreach (var finding in findings)
        {
            table.Add([finding.Case, .. finding.Values.Select(static value => value.Value.ToString("#,##0.###", CultureInfo.InvariantCulture)), finding.Verdict]);
            _rows.AddRange(finding.Values.Select(value => (string[])
            [
                finding.Question, finding.Case, value.Measure, value.Value.ToString("0.###", CultureInfo.InvariantCulture), finding.Verdict,
            ]));
        }
        Console.WriteLine($"\n{table}");
    }
}

/// <param name="Question">What grows with what.</param>
/// <param name="Case">Of how much.</param>
/// <param name="Values">What was measured.</param>
/// <param name="Verdict">Whether it is as it should be; empty where there is no goal.</param>
internal sealed record Finding(string Question, string Case, IReadOnlyList<(string Measure, double Value)> Values, string Verdict = "");
