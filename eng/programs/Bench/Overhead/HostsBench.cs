using System.Globalization;
using DbRetry.Bench.Measuring;
using DbRetry.Bench.Output;

namespace DbRetry.Bench.Overhead;

/// <summary>Whether a longer list of hosts makes healthy work slower: one server under one, three and nine addresses.</summary>
internal sealed class HostsBench(TimeSpan length, Results results)
{
    private static readonly int[] Counts = [1, 3, 9];

    private static readonly Operation[] Operations = [Operation.OpenAndClose, Operation.OneRow];

    public async Task RunAsync()
    {
        await using var server = await BenchServer.StartAsync(ItemContext.Schema, Counts[^1]);
        Subject[] subjects =
        [
            .. Counts.Select(count => Subject.Ours(Through(server, count), $"UseDbRetry(), {count} host(s)")),
            .. Counts.Select(count => Subject.Stock(Through(server, count), $"EnableRetryOnFailure(), {count} host(s)")),
        ];
        var table = new TextTable("one server under several addresses", "median", "x UseDbRetry(), 1 host", "bytes", "verdict");
        var rows = new List<string[]>();
        foreach (var operation in Operations)
        {
            ItemContext[] contexts = [.. subjects.Select(static subject => subject.NewContext())];
            var contest = new Contest([.. subjects.Zip(contexts, (subject, context) => (Func<Task>)(() => operation.Run(subject, context)))]);
            await contest.RunAsync(length / 4);
            contest = new Contest([.. subjects.Zip(contexts, (subject, context) => (Func<Task>)(() => operation.Run(subject, context)))]);
            await contest.RunAsync(length);
            for (var way = 0; way < subjects.Length; way++)
            {
                var ratio = contest.Ratio(way, 0);
                var verdict = way is > 0 and < 3 ? Goals.JudgeHosts(ratio) : "";
                var bytes = await contest.AllocatedAsync(way, 50);
                table.Add($"{operation.Name}: {subjects[way].Name}", $"{contest.Time(way).Median * 1000:0.000} ms", $"{ratio.Median:0.00}", $"{bytes:N0}", verdict);
                rows.Add([operation.Name, subjects[way].Name, Number(contest.Time(way).Median * 1000), Number(ratio.Median), Number(ratio.Low), Number(ratio.High), $"{bytes}", verdict]);
            }
            foreach (var context in contexts)
            {
                await context.DisposeAsync();
            }
        }
        Console.WriteLine($"\n{table}");
        results.WriteCsv("hosts.csv", [["operation", "configuration", "median, ms", "x 1 host", "low", "high", "bytes", "verdict"], .. rows]);
    }

    private static string Number(double value) => value.ToString("0.#####", CultureInfo.InvariantCulture);

    private static string Through(BenchServer server, int hosts)
        => server.ConnectionString.Replace(
            $"Host=127.0.0.1:{server.Port}",
            $"Host={string.Join(',', BenchServer.Addresses(hosts).Select(address => $"{address}:{server.Port}"))}")
            + (hosts > 1 ? ";Target Session Attributes=primary" : "");
}
