using System.Globalization;
using DbRetry.Bench.Output;

namespace DbRetry.Bench.Contention;

/// <summary>Who finishes how much when everybody wants the same rows.</summary>
/// <param name="length">How long each way writes.</param>
/// <param name="processes">Over how many processes the writers are spread; 1 for this one.</param>
/// <param name="results">Where raw data and the chart go.</param>
internal sealed class ContentionBench(TimeSpan length, int processes, Results results)
{
    private const int Writers = 16;

    // The first run pays for compiling the code and filling the server's caches.
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);

    private static readonly int[] RowCounts = [1, 4, 64, CounterContext.Rows];

    private readonly TextTable _table = new("", "commits/s", "x alone", "median", "p99", "slowest", "errors", "verdict");
    private readonly List<string[]> _rows = [];

    public async Task RunAsync()
    {
        await using var server = await BenchServer.StartAsync(CounterContext.Schema);
        var chart = new BarChart(
            $"Commits per second, {Writers} SERIALIZABLE writers in {processes} process(es)",
            [(WriterMode.Stock.Name(), "#8c959f"), (WriterMode.Racing.Name(), "#bf8700"), (WriterMode.Queueing.Name(), "#0969da")],
            null,
            "0");
        await new HotRows(WriterMode.Queueing.Options(server.ConnectionString), Writers, CounterContext.Rows, seed: 0).RunAsync(WarmUp);

        Console.WriteLine($"PostgreSQL {server.Version}, {Writers} writers in {processes} process(es), {length.TotalSeconds:0.#} s each");
        var alone = await new HotRows(WriterMode.Queueing.Options(server.ConnectionString), 1, 1, seed: 0).RunAsync(length);
        Add("one writer alone, UseDbRetry()", alone, alone, "");
        Add("one writer alone, EnableRetryOnFailure()", await new HotRows(WriterMode.Stock.Options(server.ConnectionString), 1, 1, seed: 0).RunAsync(length), alone, "");
        foreach (var rows in RowCounts)
        {
            var stock = await MeasureAsync(server, WriterMode.Stock, rows);
            var racing = await MeasureAsync(server, WriterMode.Racing, rows);
            var queueing = await MeasureAsync(server, WriterMode.Queueing, rows);
            Add($"{rows:N0} row(s), {WriterMode.Stock.Name()}", stock, alone, "");
            Add($"{rows:N0} row(s), {WriterMode.Racing.Name()}", racing, alone, "");
            Add($"{rows:N0} row(s), {WriterMode.Queueing.Name()}", queueing, alone, Judge(rows, queueing, stock, alone));
            chart.Add($"{rows:N0} row(s)", stock.PerSecond, racing.PerSecond, queueing.PerSecond);
        }
        Console.WriteLine($"\n{_table}");
        var name = processes == 1 ? "contention" : $"contention-{processes}-processes";
        results.WriteCsv($"{name}.csv", [["way", "commits/s", "x alone", "median, ms", "p99, ms", "slowest, ms", "errors", "verdict"], .. _rows]);
        results.Write($"{name}.svg", chart.ToString());
    }

    private async Task<HotRowsResult> MeasureAsync(BenchServer server, WriterMode mode, int rows)
    {
        if (processes == 1)
        {
            return await new HotRows(mode.Options(server.ConnectionString), Writers, rows, seed: 0).RunAsync(length);
        }
        WriterProcess[] writing =
        [
            .. Enumerable.Range(0, processes).Select(i => WriterProcess.Start(server.ConnectionString, mode, Writers / processes, rows, length, seed: 100 * i)),
        ];
        try
        {
            await Task.WhenAll(writing.Select(static process => process.ReadyAsync()));
            foreach (var process in writing)
            {
                process.Begin();
            }
            var written = await Task.WhenAll(writing.Select(static process => process.EndAsync()));
            return new([.. written.SelectMany(static one => one.Latencies).Order()], written.Sum(static one => one.Errors), length);
        }
        finally
        {
            foreach (var process in writing)
            {
                process.Dispose();
            }
        }
    }

    private static string Judge(int rows, HotRowsResult ours, HotRowsResult stock, HotRowsResult alone)
    {
        var toAlone = ours.PerSecond / alone.PerSecond;
        var problems = new List<string>();
        if (rows == 1)
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
