namespace DbRetry.Failover.Results;

/// <summary>
/// Everything that was measured, as CSV files in one folder. What a folder has of other scenarios and modes stays, so that they can be measured one by one.
/// </summary>
internal sealed class RawData
{
    private readonly string _folder;
    private readonly List<WaitRow> _waits;
    private readonly List<RoundRow> _rounds;
    private readonly List<string> _oldErrors;
    private readonly List<ErrorRow> _errors = [];

    /// <param name="folder">Is created if it is not there.</param>
    /// <param name="isAnew">Whether the rows of a scenario and a mode are to be replaced.</param>
    public RawData(string folder, Func<string, string, bool> isAnew)
    {
        _folder = Directory.CreateDirectory(folder).FullName;
        _waits = [.. Kept("waits.csv").Select(WaitRow.Parse)];
        _rounds = [.. Kept("rounds.csv").Select(RoundRow.Parse)];
        _oldErrors = [.. Kept("errors.csv").Select(fields => string.Join(',', fields))];

        IEnumerable<string[]> Kept(string file)
            => Path.Combine(_folder, file) is var path && File.Exists(path)
                ? File.ReadLines(path).Skip(1).Select(line => line.Split(',')).Where(fields => !isAnew(fields[0], fields[1]))
                : [];
    }

    public IReadOnlyList<WaitRow> Waits => _waits;

    public IReadOnlyList<RoundRow> Rounds => _rounds;

    /// <summary>Of this run.</summary>
    public IReadOnlyList<ErrorRow> Errors => _errors;

    public int RoundsOf(string scenario, string mode) => _rounds.Count(row => row.Scenario == scenario && row.Mode == mode);

    public void Add(WaitRow row) => _waits.Add(row);

    public void Add(RoundRow row) => _rounds.Add(row);

    public void Add(ErrorRow row) => _errors.Add(row);

    public async Task WriteAsync()
    {
        await File.WriteAllLinesAsync(PathOf("waits.csv"), [WaitRow.Header, .. _waits.Select(row => row.ToString())]);
        await File.WriteAllLinesAsync(PathOf("rounds.csv"), [RoundRow.Header, .. _rounds.Select(row => row.ToString())]);
        await File.WriteAllLinesAsync(PathOf("errors.csv"), [ErrorRow.Header, .. _oldErrors, .. _errors.Select(row => row.ToString())]);
        await File.WriteAllLinesAsync(
            PathOf("errors-of-ours.txt"), _errors.Where(row => row.Details is not null).Select(row => $"{row}\n{row.Details}\n"));
    }

    public string PathOf(string file) => Path.Combine(_folder, file);
}
