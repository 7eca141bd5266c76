using System.Text;

namespace DbRetry.Failover.Results;

/// <summary>A table that reads well in a terminal and is Markdown.</summary>
internal sealed class TextTable(params IEnumerable<string> header)
{
    private readonly List<string[]> _rows = [[.. header]];

    public void Add(params IEnumerable<string> cells) => _rows.Add([.. cells]);

    public override string ToString()
    {
        int[] widths = [.. Enumerable.Range(0, _rows[0].Length).Select(column => Math.Max(3, _rows.Max(row => row[column].Length)))];
        var text = new StringBuilder();
        for (var i = 0; i < _rows.Count; i++)
        {
            text.Append('|');
            foreach (var (cell, width) in _rows[i].Zip(widths))
            {
                text.Append(' ').Append(cell.PadRight(width)).Append(" |");
            }
            text.AppendLine();
            if (i == 0)
            {
                text.Append('|').AppendJoin('|', widths.Select(width => new string('-', width + 2))).AppendLine("|");
            }
        }
        return text.ToString();
    }
}
