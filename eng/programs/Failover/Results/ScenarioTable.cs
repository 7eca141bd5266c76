namespace DbRetry.Failover.Results;

/// <summary>What came of one scenario, the modes side by side.</summary>
internal sealed class ScenarioTable(ScenarioPlan plan, IReadOnlyList<ClientMode> modes, RawData data)
{
    public const double Goal = 50;
    private const int ShownErrors = 4;

    public async Task WriteAsync(TextWriter output)
    {
        var columns = modes.Select(mode => new Column(
            mode,
            [.. data.Rounds.Where(row => row.Scenario == plan.Name && row.Mode == mode.Name)],
            new Quantiles(data.Waits.Where(row => row.Scenario == plan.Name && row.Mode == mode.Name).Select(row => row.Milliseconds ?? double.PositiveInfinity))));
        Column[] shown = [.. columns.Where(column => column.Rounds.Count > 0)];
        if (shown is [])
        {
            return;
        }

        var reads = plan.Readers > 0;
        var table = new TextTable([plan.Name, .. shown.Select(column => column.Mode.Title)]);
        Add("rounds", column => $"{column.Rounds.Count}");
        Add("without a primary, median", column => Texts.Time(new Quantiles(column.Rounds.Select(row => row.WithoutPrimary)).Median));
        Add(reads ? "longest silence of a reader, median" : "first write after it, median", column => Texts.Time(column.Waits.Median));
        Add("… p99", column => Texts.Time(column.Waits.P99));
        Add("… slowest", column => Texts.Time(column.Waits.Max));
        Add("errors that callers saw", column => $"{column.Sum(row => row.Errors):N0}");
        Add("acknowledged", column => $"{column.Sum(row => row.Acknowledged):N0}");
        Add("lost", column => $"{column.Sum(row => row.Lost):N0}");
        Add("duplicated", column => $"{column.Sum(row => row.Duplicated):N0}");
        AddIfAny("still waiting in the end", row => row.Waiting);
        AddIfAny("acknowledged by the old primary when there was a new one", row => row.Stale);
        AddIfAny("gone with the old primary", row => row.Forked);
        Add("connections begun in the outage, median", column => $"{new Quantiles(column.Rounds.Select(row => (double)row.Attempts)).Median:N0}");
        await output.WriteLineAsync($"\n{plan.Title}\n\n{table}");
        await WriteErrorsAsync(output);
        if (shown[0].Mode == ClientMode.DbRetry)
        {
            await output.WriteLineAsync($"UseDbRetry(): {Verdict(shown[0], reads)}");
        }

        void Add(string label, Func<Column, string> value) => table.Add([label, .. shown.Select(value)]);

        void AddIfAny(string label, Func<RoundRow, int> value)
        {
            if (shown.Any(column => column.Sum(value) > 0))
            {
                Add(label, column => $"{column.Sum(value):N0}");
            }
        }
    }

    private static string Verdict(Column column, bool reads)
    {
        var exact = column.Sum(row => row.Errors + row.Lost + row.Duplicated) == 0
            ? "no error, nothing lost, nothing applied twice"
            : "callers saw ERRORS, or writes were LOST or DUPLICATED";
        return reads
            ? $"{exact}."
            : $"{exact}; first write within {Goal:0} ms of the new primary (p99): {(column.Waits.P99 <= Goal ? "met" : "MISSED")}, {Texts.Time(column.Waits.P99)}.";
    }

    private async Task WriteErrorsAsync(TextWriter output)
    {
        foreach (var mode in modes)
        {
            var errors = data.Errors.Where(row => row.Scenario == plan.Name && row.Mode == mode.Name).CountBy(row => row.Text)
                .OrderByDescending(error => error.Value).ToList();
            foreach (var (text, count) in errors.Take(ShownErrors))
            {
                await output.WriteLineAsync($"  {mode.Title}: {count:N0} × {text}");
            }
        }
    }

    private sealed record Column(ClientMode Mode, IReadOnlyList<RoundRow> Rounds, Quantiles Waits)
    {
        public long Sum(Func<RoundRow, int> value) => Rounds.Sum(row => (long)value(row));
    }
}
