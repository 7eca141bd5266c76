using System.Diagnostics;
using System.Runtime.CompilerServices;
using DbRetry.EFCore.Tests.Support.Failover;

namespace DbRetry.Failover.Patroni;

/// <summary>What may happen to a cluster that Patroni manages.</summary>
internal static class PatroniScenarios
{
    public static readonly PatroniScenario Kill = new("patroni-kill", "Patroni: kill -9 of PostgreSQL, the leader's", KillServerAsync);
    public static readonly PatroniScenario Machine = new("patroni-machine", "Patroni: kill -9 of PostgreSQL and agent, the leader's", KillMachineAsync);
    public static readonly PatroniScenario Switchover = new("patroni-switchover", "Patroni: switchover by REST", SwitchOverAsync);
    public static readonly PatroniScenario SplitBrain = new(
        "patroni-split-brain", "Patroni: kill -9 of the agent alone, a second primary appears, the old one is killed later", SplitAsync)
    {
        Synchronous = false, // With it one of the two could not acknowledge anything.
    };

    /// <summary>How long everybody goes on after the last turn of the story.</summary>
    private static readonly TimeSpan Aftermath = TimeSpan.FromSeconds(1);

    /// <summary>How long two primaries take writes.</summary>
    private static readonly TimeSpan Schism = TimeSpan.FromSeconds(1.5);

    public static IReadOnlyList<PatroniScenario> All { get; } = [Kill, Machine, Switchover, SplitBrain];

    private static async IAsyncEnumerable<Outage> KillServerAsync(PatroniBed bed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var leader = await bed.Cluster.LeaderAsync(cancellationToken);
        var faultAt = Stopwatch.GetTimestamp();
        leader.KillServer();
        yield return await bed.UntilAnotherIsPrimaryAsync(leader, faultAt, cancellationToken);
        await Task.Delay(Aftermath, cancellationToken);
    }

    private static async IAsyncEnumerable<Outage> KillMachineAsync(PatroniBed bed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var leader = await bed.Cluster.LeaderAsync(cancellationToken);
        var faultAt = Stopwatch.GetTimestamp();
        await leader.KillAgentAsync();
        leader.KillServer();
        yield return await bed.UntilAnotherIsPrimaryAsync(leader, faultAt, cancellationToken);
        await Task.Delay(Aftermath, cancellationToken);
    }

    private static async IAsyncEnumerable<Outage> SwitchOverAsync(PatroniBed bed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var leader = await bed.Cluster.LeaderAsync(cancellationToken);
        var faultAt = Stopwatch.GetTimestamp();
        var telling = leader.TellAsync(HttpMethod.Post, "switchover", $$"""{"leader": "{{leader.Name}}"}""", cancellationToken);
        yield return await bed.UntilAnotherIsPrimaryAsync(leader, faultAt, cancellationToken);
        await telling;
        await Task.Delay(Aftermath, cancellationToken);
    }

    private static async IAsyncEnumerable<Outage> SplitAsync(PatroniBed bed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var leader = await bed.Cluster.LeaderAsync(cancellationToken);
        await leader.KillAgentAsync();
        var outage = await bed.UntilAnotherIsPrimaryAsync(leader, Stopwatch.GetTimestamp(), cancellationToken);
        await Task.Delay(Schism, cancellationToken);
        var killed = EndWatch.RunAsync(await leader.OpenAsync("postgres", cancellationToken), cancellationToken);
        leader.KillServer();
        var killedAt = await killed;

        // Nobody knows how far behind the new primary was: only what it acknowledged itself can be demanded.
        yield return outage with { FaultAt = killedAt, WritableAt = killedAt, ForkedAt = long.MinValue };
        await Task.Delay(Aftermath, cancellationToken);
    }
}
