using System.Globalization;
using DbRetry.Bench.Output;

namespace DbRetry.Bench.Contention;

/// <summary>Who finishes how much when everybody wants the same rows.</summary>
/// <param name="length">How long each way writes in all.</param>
/// <param name="processes">Over how many processes the writers are spread; 1 for this one.</param>
/// <param name="only">Only the cases whose label contains this.</param>
/// <param name="results">Where raw data and the charts go.</param>
internal sealed class ContentionBench(TimeSpan length, int processes, string only, Results results)
{
    private const int Writers = 16;

    // The first run pays for compiling the code and filling the server's caches.
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);

    private static readonly (HotUnit Unit, int Rows)[] Cases =
    [
        (HotUnit.Increment, 1), (HotUnit.Increment, 4), (HotUnit.Increment, 64), (HotUnit.Increment, CounterContext.Rows),
        (HotUnit.Transfer, 4), (HotUnit.Impatient, 1),
    ];

    // All ways take turns, forwards and backwards, so that what else the machine does, and what the tables grow by, falls on all of them.
    private const int Rounds = 2;

    private static readonly WriterMode[] Modes = [WriterMode.Stock, WriterMode.Racing, WriterMode.Queueing, WriterMode.PerfectQueue];

    private readonly TextTable _table = new("", "commits/s", "x alone", "median", "p99", "slowest", "errors", "verdict");
    private readonly List<string[]> _rows = [];

    public async Task RunAsync()
    {
        await using var server = await BenchServer.StartAsync(CounterContext.Schema);
        var perSecond = Chart("Commits per second", "0");
        var p99 = Chart("99 of 100 units were done after, in ms", "0");
        var turns = Path.Combine(Path.GetTempPath(), $"bench-{Environment.ProcessId}");
        using var over = new CancellationTokenSource();
        _ = processes > 1 ? RowTurns.ServeAsync(turns, CounterContext.Rows, over.Token) : Task.CompletedTask;
        WriterProcess[] writing = [.. Enumerable.Range(0, processes == 1 ? 0 : processes).Select(_ => WriterProcess.Start(server.ConnectionString, turns))];
        try
        {
            await MeasureAsync(server, writing, perSecond, p99);
        }
        finally
        {
            await over.CancelAsync();
            foreach (var process in writing)
            {
                process.Dispose();
            }

            File.Delete(turns);
        }

        var name = processes == 1 ? "contention" : $"contention-{processes}-processes";
        results.WriteCsv($"{name}.csv", [["way", "commits/s", "x alone", "median, ms", "p99, ms", "slowest, ms", "errors", "verdict"], .. _rows]);
        results.Write($"{name}.svg", perSecond.ToString());
        results.Write($"{name}-p99.svg", p99.ToString());
    }

    private async Task MeasureAsync(BenchServer server, WriterProcess[] writing, BarChart perSecond, BarChart p99)
    {
        // Losing has code of its own to be compiled, and one writer alone is measured in this process.
        await MeasureAsync(new HotRows(WriterMode.Queueing, server.ConnectionString, 1, 1, seed: 0), WarmUp);
        foreach (var rows in new[] { CounterContext.Rows, 1 })
        {
            foreach (var mode in Modes)
            {
                await MeasureAsync(server, writing, mode, HotUnit.Increment, rows, WarmUp / Modes.Length, seed: 0);
            }
        }

        Console.WriteLine($"PostgreSQL {server.Version}, {Writers} writers in {processes} process(es), {length.TotalSeconds:0.#} s each in {Rounds} turns");
        foreach (var (unit, rows) in Cases.Where(what => Label(what.Unit, what.Rows).Contains(only, StringComparison.Ordinal)))
        {
            if (processes > 1 && unit is not HotUnit.Increment)
            {
                continue;
            }

            var (alone, ways) = await TakeTurnsAsync(server, writing, unit, rows);
            Add($"{unit.Name()}one writer alone, {WriterMode.Queueing.Name()}", alone, alone, "");
            foreach (var (mode, result) in ways)
            {
                Add($"{Label(unit, rows)}, {mode.Name()}", result, alone, mode is WriterMode.Queueing ? Judge(unit, rows, result, ways[WriterMode.Stock], alone) : "");
            }

            if (unit is HotUnit.Increment)
            {
                perSecond.Add($"{Label(unit, rows)}", [.. Charted.Select(mode => ways[mode].PerSecond)]);
                p99.Add($"{Label(unit, rows)}", [.. Charted.Select(mode => ways[mode].Quantile(0.99).TotalMilliseconds)]);
            }
        }

        Console.WriteLine($"\n{_table}");
    }

    private static string Label(HotUnit unit, int rows)
        => string.Create(CultureInfo.InvariantCulture, $"{unit.Name()}{(unit is HotUnit.Transfer ? "two of " : "")}{rows:N0} row(s)");

    private static WriterMode[] Charted => [WriterMode.Stock, WriterMode.Racing, WriterMode.Queueing];

    private BarChart Chart(string what, string format)
        => new(
            $"{what}, {Writers} SERIALIZABLE writers in {processes} process(es)",
            [.. Charted.Zip(["#8c959f", "#bf8700", "#0969da"], static (mode, colour) => (mode.Name(), colour))],
            null,
            format);

    private async Task<(HotRowsResult Alone, Dictionary<WriterMode, HotRowsResult> Ways)> TakeTurnsAsync(
        BenchServer server, WriterProcess[] writing, HotUnit unit, int rows)
    {
        // Whoever changes a single row meets nobody alone, whichever it is; and there is no perfect queue for two rows at once, or for impatience.
        var (ofOne, modes) = unit is HotUnit.Increment ? (1, Modes) : (rows, Charted);
        var alone = new List<HotRowsResult>();
        var ways = modes.ToDictionary(static mode => mode, static _ => new List<HotRowsResult>());
        for (var round = 0; round < Rounds; round++)
        {
            alone.Add(await MeasureAsync(new HotRows(WriterMode.Queueing, server.ConnectionString, 1, ofOne, seed: round, unit: unit), length / Rounds));
            foreach (var mode in round % 2 == 0 ? modes : modes.Reverse())
            {
                ways[mode].Add(await MeasureAsync(server, writing, mode, unit, rows, length / Rounds, seed: 1000 * round));
            }
        }

        return (HotRowsResult.Sum(alone), ways.ToDictionary(static way => way.Key, static way => HotRowsResult.Sum(way.Value)));
    }

    private static async Task<HotRowsResult> MeasureAsync(HotRows hotRows, TimeSpan turn)
    {
        await hotRows.PrepareAsync();
        return await hotRows.RunAsync(turn);
    }

    private static async Task<HotRowsResult> MeasureAsync(
        BenchServer server, WriterProcess[] writing, WriterMode mode, HotUnit unit, int rows, TimeSpan turn, int seed)
    {
        if (writing.Length == 0)
        {
            return await MeasureAsync(new HotRows(mode, server.ConnectionString, Writers, rows, seed, unit: unit), turn);
        }

        await Task.WhenAll(writing.Select((process, i) => process.PrepareAsync(mode, Writers / writing.Length, rows, turn, seed + (100 * i))));
        foreach (var process in writing)
        {
            process.Begin();
        }

        var written = await Task.WhenAll(writing.Select(process => process.EndAsync(turn)));
        return HotRowsResult.Sum(written) with { Length = turn };
    }

    private static string Judge(HotUnit unit, int rows, HotRowsResult ours, HotRowsResult stock, HotRowsResult alone)
    {
        var toAlone = ours.PerSecond / alone.PerSecond;
        var problems = new List<string>();
        if (unit is not HotUnit.Increment)
        {
            // Whoever loses here has waited for the server to say so, and there is no more to be had than that nobody waits long for it, or sees it.
            Require(ours.Errors == 0, "callers saw errors");
            Require(ours.PerSecond >= stock.PerSecond, $"{ours.PerSecond / stock.PerSecond:0.00} x stock, goal 1.00");
            Require(ours.Quantile(1) <= stock.Quantile(1), "slowest above stock's");
        }
        else if (rows == 1)
        {
            Require(toAlone >= 0.95, $"{toAlone:0.00} x alone, goal 0.95");
            var fair = 2 * Writers / ours.PerSecond;
            Require(ours.Quantile(0.99).TotalSeconds <= fair, $"p99 above {fair * 1000:0} ms");
            Require(ours.Quantile(1) <= 10 * ours.Quantile(0.5), "slowest above 10 x median");
        }
        else if (rows == 4)
        {
            Require(toAlone >= 1.4, $"{toAlone:0.00} x alone, goal 1.40");
        }
        else if (rows == CounterContext.Rows)
        {
            Require(ours.PerSecond >= 0.98 * stock.PerSecond, $"{ours.PerSecond / stock.PerSecond:0.00} x stock, goal 1.00");
        }

        return problems.Count == 0 ? "met" : string.Join("; ", problems);

        void Require(bool met, string otherwise)
        {
            if (!met)
            {
                problems.Add(otherwise);
            }
        }
    }

    private void Add(string label, HotRowsResult result, HotRowsResult alone, string verdict)
    {
        string[] values =
        [
            Number(result.PerSecond, "0"), Number(result.PerSecond / alone.PerSecond, "0.00"), Number(result.Quantile(0.5).TotalMilliseconds, "0.0"),
            Number(result.Quantile(0.99).TotalMilliseconds, "0"), Number(result.Quantile(1).TotalMilliseconds, "0"), $"{result.Errors}", verdict,
        ];
        _rows.Add([label, .. values]);
        _table.Add(label, values[0], values[1], $"{values[2]} ms", $"{values[3]} ms", $"{values[4]} ms", values[5], values[6]);
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
