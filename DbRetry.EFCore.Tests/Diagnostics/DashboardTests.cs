using System.Diagnostics.Metrics;
using System.Text.Json;
using System.Text.RegularExpressions;
using DbRetry.EFCore.Diagnostics;

namespace DbRetry.EFCore.Tests.Diagnostics;

/// <summary>The dashboard and the guide know the instruments that there are, and no others.</summary>
[TestClass]
public sealed partial class DashboardTests
{
    [TestMethod]
    public void The_dashboard_shows_every_metric_and_asks_for_none_that_does_not_exist()
    {
        using var dashboard = JsonDocument.Parse(Read("grafana", "dbretry.json"));
        var queries = Queries(dashboard.RootElement).ToList();
        var asked = queries.SelectMany(query => MetricName().Matches(query).Select(match => match.Value)).ToHashSet();
        var instruments = Instruments();

        Assert.IsGreaterThan(10, queries.Count);
        var existing = instruments.SelectMany(PrometheusNames).ToHashSet();
        Assert.IsEmpty(asked.Except(existing), $"Nobody measures {string.Join(", ", asked.Except(existing))}.");
        foreach (var instrument in instruments)
        {
            Assert.IsTrue(PrometheusNames(instrument).Any(asked.Contains), $"{instrument.Name} is not shown.");
        }
    }

    [TestMethod]
    public void The_dashboard_groups_by_attributes_that_the_guide_lists()
    {
        var guide = Read("docs", "observability.md");
        using var dashboard = JsonDocument.Parse(Read("grafana", "dbretry.json"));
        var labels = Queries(dashboard.RootElement)
            .SelectMany(query => Grouping().Matches(query).SelectMany(match => match.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries)))
            .Where(label => label != "le")
            .ToHashSet();
        var attributes = Attribute().Matches(guide).Select(match => match.Groups[1].Value.Replace('.', '_')).ToHashSet();

        Assert.IsNotEmpty(labels);
        Assert.IsEmpty(labels.Except(attributes), string.Join(", ", labels.Except(attributes)));
    }

    [TestMethod]
    public void The_guide_lists_every_instrument_with_its_unit()
    {
        var guide = Read("docs", "observability.md");
        foreach (var instrument in Instruments())
        {
            var kind = instrument switch
            {
                Counter<long> => "counter",
                UpDownCounter<long> => "up-down counter",
                _ => "histogram",
            };
            Assert.Contains($"| `{instrument.Name}` | {kind} | {instrument.Unit} |", guide);
        }
    }

    // OpenTelemetry's rules for Prometheus: dots become underscores, a unit is appended unless it is an annotation, counters end in _total.
    private static string[] PrometheusNames(Instrument instrument)
    {
        var name = instrument.Name.Replace('.', '_') + (instrument.Unit == "s" ? "_seconds" : string.Empty);
        return instrument switch
        {
            Counter<long> => [$"{name}_total"],
            Histogram<double> => [$"{name}_bucket", $"{name}_sum", $"{name}_count"],
            _ => [name],
        };
    }

    private static List<Instrument> Instruments()
    {
        RetryInstruments.Queued(TimeSpan.Zero); // They exist from their first use on.
        var instruments = new List<Instrument>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Meter.Name == RetryInstruments.SourceName)
                {
                    instruments.Add(instrument);
                }
            },
        };
        listener.Start();
        return instruments;
    }

    private static IEnumerable<string> Queries(JsonElement element)
        => element.ValueKind switch
        {
            JsonValueKind.Object => element.EnumerateObject().SelectMany(property => property is { Name: "expr", Value.ValueKind: JsonValueKind.String }
                ? [property.Value.GetString()!]
                : Queries(property.Value)),
            JsonValueKind.Array => element.EnumerateArray().SelectMany(Queries),
            _ => [],
        };

    private static string Read(params string[] path) => File.ReadAllText(Path.Combine([AppContext.BaseDirectory, .. path]));

    [GeneratedRegex(@"\bdbretry_[a-z_]+(?=[\[{])")]
    private static partial Regex MetricName();

    [GeneratedRegex(@"\bby \(([a-z_, ]+)\)")]
    private static partial Regex Grouping();

    [GeneratedRegex("`([a-z_]+(?:\\.[a-z_]+)+)`")]
    private static partial Regex Attribute();
}
