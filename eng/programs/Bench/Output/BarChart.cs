using System.Net;
using System.Text;

namespace DbRetry.Bench.Output;

/// <summary>Horizontal bars in groups, as SVG that is legible on light and on dark pages.</summary>
/// <param name="title">Above the bars.</param>
/// <param name="series">The names of the bars of each group, with their colours.</param>
/// <param name="mark">Where a line is drawn across all groups, and what it is called.</param>
/// <param name="format">How a value is written.</param>
internal sealed class BarChart(string title, IReadOnlyList<(string Name, string Colour)> series, (double Value, string Name)? mark, string format)
{
    private const int Width = 900;
    private const int Left = 230;
    private const int Plot = 560;
    private const int Bar = 13;
    private const int Gap = 14;
    private const int Top = 76;

    private readonly List<(string Label, IReadOnlyList<double> Values)> _groups = [];

    public void Add(string label, params IReadOnlyList<double> values) => _groups.Add((label, values));

    public override string ToString()
    {
        var most = Math.Max(_groups.Max(static group => group.Values.Max()), mark?.Value ?? 0);
        var height = Top + _groups.Count * (series.Count * Bar + Gap) + 24;
        var svg = new StringBuilder(
            $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {height}" font-family="sans-serif" font-size="12">
            <rect width="{Width}" height="{height}" fill="#ffffff"/>
            <text x="16" y="26" font-size="16" font-weight="bold" fill="#1f2328">{Text(title)}</text>

            """);
        var x = 16.0;
        foreach (var (name, colour) in series)
        {
            svg.AppendLine($"""<rect x="{x:0}" y="42" width="12" height="12" fill="{colour}"/><text x="{x + 17:0}" y="52" fill="#1f2328">{Text(name)}</text>""");
            x += 34 + name.Length * 6.6;
        }
        var y = (double)Top;
        foreach (var (label, values) in _groups)
        {
            svg.AppendLine($"""<text x="{Left - 8}" y="{y + series.Count * Bar / 2.0 + 4:0.#}" text-anchor="end" fill="#1f2328">{Text(label)}</text>""");
            for (var i = 0; i < values.Count; i++)
            {
                var length = values[i] / most * Plot;
                svg.AppendLine(
                    $"""<rect x="{Left}" y="{y:0.#}" width="{length:0.#}" height="{Bar - 2}" fill="{series[i].Colour}"/>"""
                    + $"""<text x="{Left + length + 5:0.#}" y="{y + 9.5:0.#}" font-size="10" fill="#57606a">{values[i].ToString(format)}</text>""");
                y += Bar;
            }
            y += Gap;
        }
        if (mark is { } line)
        {
            var at = Left + line.Value / most * Plot;
            svg.AppendLine(
                $"""<line x1="{at:0.#}" y1="{Top - 6}" x2="{at:0.#}" y2="{y - Gap + 4:0.#}" stroke="#57606a" stroke-dasharray="4 3"/>"""
                + $"""<text x="{at:0.#}" y="{y + 6:0.#}" text-anchor="middle" font-size="10" fill="#57606a">{Text(line.Name)}</text>""");
        }
        return svg.AppendLine("</svg>").ToString();
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
