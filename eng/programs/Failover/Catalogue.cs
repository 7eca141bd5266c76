using DbRetry.EFCore.Tests.Support.Failover;
using DbRetry.Failover.Patroni;

namespace DbRetry.Failover;

/// <summary>All scenarios.</summary>
internal static class Catalogue
{
    /// <summary>The name of what is no scenario: what an open costs while a host is dead.</summary>
    public const string Steady = "steady";

    public static IReadOnlyList<ScenarioPlan> Local { get; } = [.. LocalScenarios.All.Select(ScenarioPlan.Of)];

    public static IReadOnlyList<ScenarioPlan> Patroni { get; } = [.. PatroniScenarios.All.Select(ScenarioPlan.Of)];

    public static IEnumerable<ScenarioPlan> All => Local.Concat(Patroni);

    public static bool Knows(string name) => name == Steady || All.Any(plan => plan.Name == name);
}
