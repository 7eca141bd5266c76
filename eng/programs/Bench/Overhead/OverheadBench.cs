using System.Diagnostics;
using System.Globalization;
using DbRetry.Bench.Measuring;
using DbRetry.Bench.Output;
using DbRetry.EFCore;
using DbRetry.EFCore.Tests.Support.Faults;

namespace DbRetry.Bench.Overhead;

/// <summary>What the plugin costs when nothing fails.</summary>
/// <param name="length">How long each operation is measured at each latency.</param>
/// <param name="only">A part of the names of the operations to measure; empty for all.</param>
/// <param name="results">Where raw data and charts go.</param>
internal sealed class OverheadBench(TimeSpan length, string only, Results results)
{
    private const int AllocationRepeats = 20;

    // Code is compiled, and compiled again when it turns out to be hot, in the first second or two.
    private static readonly TimeSpan WarmUp = TimeSpan.FromMilliseconds(150);

    private static readonly TimeSpan[] RoundTripTimes = [TimeSpan.Zero, TimeSpan.FromMilliseconds(0.5)];

    private static readonly CommitVerification[] Verifications = Enum.GetValues<CommitVerification>();

    private readonly List<Measurement> _measurements = [];

    public async Task RunAsync()
    {
        await using var server = await BenchServer.StartAsync(ItemContext.Schema);
        await using var proxy = FaultProxy.Start(server.ConnectionString);
        using var line = new DelayLine(server.Port, RoundTripTimes[1] / 2);
        var direct = Subjects(server.ConnectionString);
        var distant = Subjects(server.ConnectionString.Replace($":{server.Port}", $":{line.Port}"));
        var proxied = Subjects(proxy.Through(server.ConnectionString));
        Operation[] operations = [.. Operation.All.Where(operation => operation.Name.Contains(only, StringComparison.OrdinalIgnoreCase))];
        Console.WriteLine($"PostgreSQL {server.Version}, fsync = on, {length.TotalSeconds:0.#} s for each operation and latency");
        foreach (var operation in operations)
        {
            await WarmAsync(operation, direct);
        }
        foreach (var operation in operations)
        {
            await server.ExecuteAsync(ItemContext.Empty);
            await MeasureAsync(operation, direct, distant, await CostsAsync(operation, direct, proxied, proxy));
        }
        Report();
    }

    private static Subject[] Subjects(string connectionString) =>
    [
        Subject.Plain(connectionString),
        Subject.Stock(connectionString),
        .. Verifications.Select(verification => Subject.Ours(connectionString, verification)),
        Subject.Idle(connectionString),
    ];

    private static async Task WarmAsync(Operation operation, Subject[] subjects)
    {
        await using var ways = new Ways(operation, subjects);
        foreach (var way in ways.Runs)
        {
            var started = Stopwatch.GetTimestamp();
            do
            {
                await way();
            }
            while (Stopwatch.GetElapsedTime(started) < WarmUp);
        }
    }

    private static async Task<Cost[]> CostsAsync(Operation operation, Subject[] direct, Subject[] proxied, FaultProxy proxy)
    {
        await using var near = new Ways(operation, direct);
        await using var counted = new Ways(operation, proxied);
        var contest = new Contest(near.Runs);
        var costs = new Cost[near.Runs.Count];
        for (var way = 0; way < costs.Length; way++)
        {
            await near.Runs[way]();
            var (roundTrips, messages) = await Wire.CountAsync(proxy, counted.Runs[way]);
            costs[way] = new(await contest.AllocatedAsync(way, AllocationRepeats), roundTrips, messages);
        }
        return costs;
    }

    private async Task MeasureAsync(Operation operation, Subject[] direct, Subject[] distant, Cost[] costs)
    {
        foreach (var roundTripTime in RoundTripTimes)
        {
            await using var ways = new Ways(operation, roundTripTime == TimeSpan.Zero ? direct : distant);
            var contest = new Contest(ways.Runs);
            await contest.RunAsync(length);
            Measurement[] rows =
            [
                .. ways.Names.Select((name, way) => new Measurement(
                    operation.Name, roundTripTime, name, contest.Time(way), contest.Ratio(way, 0), contest.Ratio(way, 1), costs[way])),
            ];
            for (var i = 0; i < Verifications.Length; i++)
            {
                rows[i + 2] = rows[i + 2] with
                {
                    Verdict = Goals.Judge(operation.Kind, Verifications[i], rows[i + 2], stock: rows[1], floor: ways.HasFloor ? rows[^1] : null),
                };
            }
            _measurements.AddRange(rows);
            Show(rows);
        }
    }

    private static void Show(Measurement[] rows)
    {
        var table = new TextTable($"{rows[0].Operation}, +{rows[0].RoundTripTime.TotalMilliseconds:0.0} ms", "median", "x plain", "x stock", "bytes", "round trips", "messages", "verdict");
        foreach (var row in rows)
        {
            table.Add(
                row.Subject,
                $"{row.Seconds.Median * 1000:0.000} ms",
                $"{row.ToPlain.Median:0.00}",
                $"{row.ToStock.Median:0.00}",
                $"{row.Cost.Bytes:N0}",
                $"{row.Cost.RoundTrips}",
                $"{row.Cost.Messages}",
                row.Verdict);
        }
        Console.WriteLine($"\n{table}");
    }

    private void Report()
    {
        results.WriteCsv("overhead.csv",
        [
            ["operation", "added round trip, ms", "configuration", "median, ms", "x plain", "x plain, low", "x plain, high", "x stock", "x stock, low", "x stock, high",
                "bytes", "round trips", "messages", "verdict"],
            .. _measurements.Select(static row => (string[])
            [
                row.Operation, Number(row.RoundTripTime.TotalMilliseconds), row.Subject, Number(row.Seconds.Median * 1000),
                Number(row.ToPlain.Median), Number(row.ToPlain.Low), Number(row.ToPlain.High),
                Number(row.ToStock.Median), Number(row.ToStock.Low), Number(row.ToStock.High),
                $"{row.Cost.Bytes}", $"{row.Cost.RoundTrips}", $"{row.Cost.Messages}", row.Verdict,
            ]),
        ]);
        var chart = new BarChart(
            "Time compared to EnableRetryOnFailure(), median of pairs",
            [("Surface", "#8c959f"), ("Witness", "#bf8700"), ("TransactionStatus (default)", "#0969da")],
            (1, "stock"),
            "0.00");
        foreach (var group in _measurements.GroupBy(static row => $"{row.Operation}, +{row.RoundTripTime.TotalMilliseconds:0.0} ms"))
        {
            chart.Add(group.Key, Of(CommitVerification.Surface), Of(CommitVerification.Witness), Of(CommitVerification.TransactionStatus));

            double Of(CommitVerification verification) => group.Single(row => row.Subject.EndsWith($" {verification}")).ToStock.Median;
        }
        results.Write("overhead.svg", chart.ToString());
    }

    private static string Number(double value) => value.ToString("0.#####", CultureInfo.InvariantCulture);

    /// <summary>One operation by each subject, and last by what it costs at least, if that is known.</summary>
    private sealed class Ways : IAsyncDisposable
    {
        private readonly List<ItemContext> _contexts = [];

        public Ways(Operation operation, Subject[] subjects)
        {
            foreach (var subject in subjects[..^1])
            {
                Add(subject, operation.Run);
            }
            if (operation.Kind is OperationKind.Read)
            {
                Add(subjects[^1], operation.Run);
                HasFloor = true;
            }
            else if (operation.Floor is { } floor)
            {
                Add(subjects[0] with { Name = "plain, in a transaction" }, (_, context) => floor(context));
                HasFloor = true;
            }
        }

        public bool HasFloor { get; }

        public List<string> Names { get; } = [];

        public List<Func<Task>> Runs { get; } = [];

        public async ValueTask DisposeAsync()
        {
            foreach (var context in _contexts)
            {
                await context.DisposeAsync();
            }
        }

        private void Add(Subject subject, Func<Subject, ItemContext, Task> run)
        {
            var context = subject.NewContext();
            _contexts.Add(context);
            Names.Add(subject.Name);
            Runs.Add(() => run(subject, context));
        }
    }
}
