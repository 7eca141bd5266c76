using DbRetry.Demo.Shop;
using Spectre.Console;

namespace DbRetry.Demo.Results;

/// <summary>The table at the end: one column for each run.</summary>
internal sealed class Summary(IAnsiConsole console, bool plain)
{
    private const int ErrorLines = 4;

    private static readonly (string Label, Func<RunResult, string> Value)[] Rows =
    [
        ("acknowledged to callers", run => $"{run.Acknowledged:N0}"),
        ("found in the database", run => $"{run.Found:N0}"),
        ("LOST", run => $"{run.Lost:N0}"),
        ("DUPLICATED", run => $"{run.Duplicated:N0}"),
        ("sum of all balances", run => run.BalanceError == 0 ? "right" : $"WRONG by {run.BalanceError:N0}"),
        ("errors that callers saw", run => $"{run.Failed + run.Unknown:N0}"),
        ("  reported as failed but applied", run => $"{run.FailedButApplied:N0}"),
        ("  told \"outcome unknown\"", run => run.Unknown == 0
            ? "0" : $"{run.Unknown:N0} ({run.UnknownButApplied:N0} applied, {run.Unknown - run.UnknownButApplied:N0} not)"),
        ("still waiting at the end", run => $"{run.CutOff:N0}"),
        ("cluster without a primary", run => Seconds(run.Outage.WritableAt - run.Outage.KilledAt)),
        ("outage of the failover seen by callers", run => Seconds(run.CallersOutage)),
        ("  of it after the promotion", run => Seconds(run.AfterPromotion)),
        ("nobody served, all run long", run => Seconds(run.Unserved)),
        ("retries: conflicts", run => $"{run.Retries.Conflicts:N0}"),
        ("retries: lost connections", run => $"{run.Retries.Connections:N0}"),
        ("retries: other", run => $"{run.Retries.Others:N0}"),
        ("wait: median", run => Milliseconds(run.Median)),
        ("wait: 99 of 100 within", run => Milliseconds(run.OneInAHundred)),
        ("wait: slowest", run => Milliseconds(run.Slowest)),
    ];

    public void Show(IReadOnlyList<RunResult> runs)
    {
        var table = new Table { Border = plain ? TableBorder.Ascii2 : TableBorder.Rounded };
        table.AddColumn("");
        foreach (var run in runs)
        {
            table.AddColumn(new TableColumn(ShopOptions.Name(run.Mode)).RightAligned());
        }
        foreach (var (label, value) in Rows)
        {
            table.AddRow([Plain(label), .. runs.Select(run => Plain(value(run)))]);
        }
        console.WriteLine();
        console.Write(table);
        foreach (var run in runs)
        {
            ShowErrors(run);
        }
        foreach (var run in runs)
        {
            ShowVerdict(run);
        }
    }

    private static Text Plain(string text) => new(text);

    private static string Seconds(TimeSpan time) => $"{time.TotalSeconds:0.00} s";

    private static string Milliseconds(TimeSpan time) => $"{time.TotalMilliseconds:N0} ms";

    private void ShowErrors(RunResult run)
    {
        if (run.Errors.Count == 0)
        {
            return;
        }
        console.WriteLine($"What callers were told with {ShopOptions.Name(run.Mode)}:");
        foreach (var (text, count) in run.Errors.Take(ErrorLines))
        {
            console.WriteLine($"{count,8:N0}  {text}");
        }
        if (run.Errors.Count > ErrorLines)
        {
            console.WriteLine($"{run.Errors.Skip(ErrorLines).Sum(error => error.Value),8:N0}  other");
        }
    }

    private void ShowVerdict(RunResult run)
    {
        var verdict = run.IsExact ? "nothing was lost, nothing was applied twice." : "writes were LOST or DUPLICATED.";
        console.WriteLine($"{ShopOptions.Name(run.Mode)}: {verdict}", new Style(run.IsExact ? Color.Green : Color.Red));
    }
}
