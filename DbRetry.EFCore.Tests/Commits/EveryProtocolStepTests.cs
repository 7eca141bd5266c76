using DbRetry.EFCore.Tests.Support.Faults;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>The promise itself: whatever message a connection dies at, every write is applied exactly once and nobody sees an error.</summary>
[TestClass]
public sealed class EveryProtocolStepTests
{
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

    private async Task SweepAsync(string name, bool async, FaultAction action)
    {
        var operation = SweepOperation.All.Single(candidate => candidate.Name == name);
        var results = await ProtocolSweep.RunAsync(operation, async, action, _ => { }, TestContext.CancellationToken);
        var counts = results.GroupBy(result => result.Outcome).Select(group => $"{group.Key} {group.Count()}");
        TestContext.WriteLine($"{name}, {(async ? "async" : "sync")}, {action.Kind}: {results.Count} points: {string.Join(", ", counts)}");

        var bad = results.Where(result => result.Outcome is not (SweepOutcome.ExactlyOnce or SweepOutcome.FailedCleanly)).ToList();
        Assert.IsEmpty(bad, string.Join(Environment.NewLine, bad.Take(5).Select(result => $"{result.Outcome} {result.Point}: {result.Error}")));
    }
}
