using System.Security;
using System.Text;

namespace DbRetry.Failover.Results;

/// <summary>
/// A picture of everything that was measured: a dot for each writer of each round, by how long after the new primary took writes its own first write came,
/// on a logarithmic scale.
/// </summary>
internal static class Chart
{
    private const int Left = 260;
    private const int Plot = 480;
    private const int Right = 200;
    private const int Top = 84;
    private const int Lane = 15;
    private const int Gap = 10;
    private const double Shortest = 1;
    private const double Longest = 60_000;

    private const string Style =
        """
        text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}
        .title{font-size:15px;font-weight:600}.small{font-size:11px;fill:#59636e}.end{text-anchor:end}.middle{text-anchor:middle}
        .grid{stroke:#8c959f;stroke-opacity:.3}.goal{stroke:#59636e;stroke-dasharray:4 3}
        .m0{fill:#1a7f37;stroke:#1a7f37}.m1{fill:#cf222e;stroke:#cf222e}.m2{fill:#9a6700;stroke:#9a6700}
        circle{fill-opacity:.35}.tick{stroke-width:2}text.m0,text.m1,text.m2{stroke:none;font-size:11px}
        @media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.goal{stroke:#9198a1}
        .m0{fill:#3fb950;stroke:#3fb950}.m1{fill:#f85149;stroke:#f85149}.m2{fill:#d29922;stroke:#d29922}}
        """;

    public static string Draw(IReadOnlyList<ScenarioPlan> plans, IReadOnlyList<ClientMode> modes, RawData data)
    {
        ScenarioPlan[] shown = [.. plans.Where(plan => data.Rounds.Any(row => row.Scenario == plan.Name))];
        var height = Top + (shown.Length * ((modes.Count * Lane) + Gap)) + 24;
        var svg = new StringBuilder();
        svg.AppendLine($"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Left + Plot + Right} {height}" width="{Left + Plot + Right}" height="{height}" role="img">""");
        svg.AppendLine($"<title>First write after the promotion</title><style>{Style}</style>");
        svg.AppendLine("""<text x="8" y="22" class="title">First write after the new primary took writes</text>""");
        svg.AppendLine("""<text x="8" y="40" class="small">each writer of each round; longest silence where the story is about readers</text>""");
        for (var mode = 0; mode < modes.Count; mode++)
        {
            svg.AppendLine($"""<circle cx="{Left + 8 + (mode * 190)}" cy="58" r="4" class="m{mode}"/><text x="{Left + 16 + (mode * 190)}" y="62" class="m{mode}">{Escape(modes[mode].Title)}</text>""");
        }
        DrawScale(svg, height - 20);
        for (var i = 0; i < shown.Length; i++)
        {
            DrawScenario(svg, shown[i], modes, data, Top + (i * ((modes.Count * Lane) + Gap)));
        }
        return svg.AppendLine("</svg>").ToString();
    }

    private static void DrawScale(StringBuilder svg, int bottom)
    {
        foreach (var (at, label) in new[] { (1d, "1 ms"), (10, "10 ms"), (100, "100 ms"), (1_000, "1 s"), (10_000, "10 s"), (60_000, "60 s") })
        {
            svg.AppendLine($"""<line x1="{X(at)}" x2="{X(at)}" y1="{Top - 6}" y2="{bottom}" class="grid"/><text x="{X(at)}" y="{bottom + 14}" class="small middle">{label}</text>""");
        }
        svg.AppendLine($"""<line x1="{X(ScenarioTable.Goal)}" x2="{X(ScenarioTable.Goal)}" y1="{Top - 6}" y2="{bottom}" class="goal"/>""");
    }

    private static void DrawScenario(StringBuilder svg, ScenarioPlan plan, IReadOnlyList<ClientMode> modes, RawData data, int top)
    {
        svg.AppendLine($"""<text x="{Left - 12}" y="{top + (modes.Count * Lane / 2) + 4}" class="end">{Escape(plan.Label)}</text>""");
        for (var mode = 0; mode < modes.Count; mode++)
        {
            var y = top + (mode * Lane) + (Lane / 2);
            double[] waits = [.. data.Waits.Where(row => row.Scenario == plan.Name && row.Mode == modes[mode].Name).Select(row => row.Milliseconds ?? double.PositiveInfinity)];
            if (waits is [])
            {
                continue;
            }
            foreach (var wait in waits)
            {
                svg.AppendLine($"""<circle cx="{X(wait)}" cy="{y}" r="3" class="m{mode}"/>""");
            }
            var quantiles = new Quantiles(waits);
            var errors = data.Rounds.Where(row => row.Scenario == plan.Name && row.Mode == modes[mode].Name).Sum(row => row.Errors);
            svg.AppendLine($"""<line x1="{X(quantiles.Median)}" x2="{X(quantiles.Median)}" y1="{y - 6}" y2="{y + 6}" class="m{mode} tick"/>""");
            svg.AppendLine($"""<text x="{Left + Plot + 14}" y="{y + 4}" class="m{mode}">p99 {Texts.Time(quantiles.P99)}, {errors:N0} errors</text>""");
        }
    }

    private static string X(double milliseconds)
        => $"{Left + (Plot * Math.Log(Math.Clamp(milliseconds, Shortest, Longest) / Shortest) / Math.Log(Longest / Shortest)):0.0}";

    private static string Escape(string text) => SecurityElement.Escape(text);
}
