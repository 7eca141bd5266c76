using System.Collections.Concurrent;
using DbRetry.EFCore.Tests.Support.Faults;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>The promise itself: whatever message a connection dies at, every write is applied exactly once and nobody sees an error.</summary>
[TestClass]
public sealed class EveryProtocolStepTests
{
    private static readonly string[] Silenced =
    [
        "save 1 row", "save 3 batches", "ExecuteUpdate n = n + 1", "ExecuteSql n = n + 1", "unit with two saves", "raw transaction outside a strategy",
    ];

    private static readonly ConcurrentBag<(string Operation, SweepOutcome Outcome)> Outcomes = [];

    public TestContext TestContext { get; set; } = null!;

    public static IEnumerable<object[]> Operations()
        => SweepOperation.All.SelectMany(operation => new[] { new object[] { operation.Name, true }, [operation.Name, false] });

    [TestMethod]
    [DynamicData(nameof(Operations))]
    public Task A_reset_at_any_message_leaves_the_operation_applied_exactly_once(string operation, bool async)
        => SweepAsync(operation, async, FaultAction.Reset);

    [TestMethod]
    [DynamicData(nameof(Operations))]
    public Task A_close_at_any_message_leaves_the_operation_applied_exactly_once(string operation, bool async)
        => SweepAsync(operation, async, FaultAction.Cut);

    [TestMethod]
    [DynamicData(nameof(SilencedOperations))]
    public Task A_silence_before_or_after_COMMIT_leaves_the_operation_applied_exactly_once(string operation, bool async)
        => SweepAsync(operation, async, FaultAction.BlackHole);

    public static IEnumerable<object[]> SilencedOperations() => Operations().Where(row => row[1] is true && Silenced.Contains(row[0]));

    [ClassCleanup]
    public static void PrintTable(TestContext context)
    {
        var outcomes = Enum.GetValues<SweepOutcome>();
        context.WriteLine(Row("operation", ["points", .. outcomes.Select(outcome => $"{outcome}")]));
        foreach (var operation in Outcomes.GroupBy(point => point.Operation).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            context.WriteLine(RowOf(operation.Key, [.. operation.Select(point => point.Outcome)]));
        }

        context.WriteLine(RowOf("all", [.. Outcomes.Select(point => point.Outcome)]));

        string RowOf(string name, SweepOutcome[] points)
            => Row(name, [$"{points.Length}", .. outcomes.Select(outcome => $"{points.Count(point => point == outcome)}")]);

        static string Row(string name, IEnumerable<string> cells) => $"{name,-40}{string.Concat(cells.Select(cell => $"{cell,17}"))}";
    }

    private async Task SweepAsync(string name, bool async, FaultAction action)
    {
        var operation = SweepOperation.All.Single(candidate => candidate.Name == name);
        var results = await ProtocolSweep.RunAsync(operation, async, action, _ => { }, TestContext.CancellationToken);
        foreach (var (_, outcome, _) in results)
        {
            Outcomes.Add((name, outcome));
        }

        var counts = results.GroupBy(result => result.Outcome).Select(group => $"{group.Key} {group.Count()}");
        TestContext.WriteLine($"{name}, {(async ? "async" : "sync")}, {action.Kind}: {results.Count} points: {string.Join(", ", counts)}");

        var bad = results.Where(result => result.Outcome is not (SweepOutcome.ExactlyOnce or SweepOutcome.FailedCleanly)).ToList();
        Assert.IsEmpty(bad, string.Join(Environment.NewLine, bad.Take(5).Select(result => $"{result.Outcome} {result.Point}: {result.Error}")));
    }
}
