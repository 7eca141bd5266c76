namespace DbRetry.Bench.Output;

/// <summary>The folder that raw data and charts are written to.</summary>
internal sealed class Results(string folder)
{
    public void WriteCsv(string name, IEnumerable<IReadOnlyList<string>> rows)
        => Write(name, string.Concat(rows.Select(static row => string.Join(',', row.Select(Cell)) + "\n")));

    public void Write(string name, string content)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, name);
        File.WriteAllText(path, content);
        Console.WriteLine($"written: {path}");
    }

    private static string Cell(string value)
        => value.AsSpan().IndexOfAny(',', '"', '\n') < 0 ? value : $"\"{value.Replace("\"", "\"\"")}\"";
}
