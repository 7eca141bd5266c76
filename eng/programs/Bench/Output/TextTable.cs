using System.Text;

namespace DbRetry.Bench.Output;

/// <summary>A table that reads well in a terminal and in Markdown: the first column to the left, all others to the right.</summary>
internal sealed class TextTable(params string[] header)
{
    private readonly List<string[]> _rows = [header];

    public void Add(params string[] row) => _rows.Add(row);

    public override string ToString()
    {
        int[] widths = [.. header.Select((_, column) => _rows.Max(row => row[column].Length))];
        var text = new StringBuilder();
        for (var i = 0; i < _rows.Count; i++)
        {
            text.Append('|');
            for (var column = 0; column < widths.Length; column++)
            {
                var cell = _rows[i][column];
                text.Append(' ').Append(column == 0 ? cell.PadRight(widths[0]) : cell.PadLeft(widths[column])).Append(" |");
            }
            text.AppendLine();
            if (i == 0)
            {
                text.Append('|').AppendJoin('|', widths.Select((width, column) => column == 0 ? new string('-', width + 2) : new string('-', width + 1) + ':')).AppendLine("|");
            }
        }
        return text.ToString();
    }
}
