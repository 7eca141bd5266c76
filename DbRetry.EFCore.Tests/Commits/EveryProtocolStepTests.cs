using System.Collections.Concurrent;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>The promise itself: whatever message a connection dies at, every write is applied exactly once and nobody sees an error.</summary>
[TestClass]
public sealed class EveryProtocolStepTests
{
    /// <summary>How many points are waited for at once. Each costs the command timeout, and little else.</summary>
    private const int SilentLanes = 40;

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
    public async Task A_silence_at_any_message_leaves_every_operation_applied_exactly_once()
    {
        await using var cluster = await SharedCluster.OwnAsync(
            new() { Settings = new Dictionary<string, string> { ["max_connections"] = $"{SilentLanes * 8}" } }, TestContext.CancellationToken);

        var results = await ProtocolSweep.RunAsync(cluster, SilentLanes, SweepOperation.All, FaultAction.BlackHole, TestContext.CancellationToken);

        Check("all operations, async and sync in turn", FaultAction.BlackHole, results);
    }

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
        Check($"{name}, {(async ? "async" : "sync")}", action, results);
    }

    private void Check(string what, FaultAction action, IReadOnlyCollection<SweepResult> results)
    {
        foreach (var result in results)
        {
            Outcomes.Add((result.Point.Operation.Name, result.Outcome));
        }

        var counts = results.GroupBy(result => result.Outcome).Select(group => $"{group.Key} {group.Count()}");
        TestContext.WriteLine($"{what}, {action.Kind}: {results.Count} points: {string.Join(", ", counts)}");

        var bad = results.Where(result => result.Outcome is not (SweepOutcome.ExactlyOnce or SweepOutcome.FailedCleanly)).ToList();
        Assert.IsEmpty(bad, string.Join(Environment.NewLine, bad.Take(5).Select(
            result => $"{result.Outcome} {result.Point.Operation} {result.Point}: {result.Error}")));
    }
}
