using System.Diagnostics;
using System.Runtime.CompilerServices;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;

namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>What may happen to a cluster of three nodes.</summary>
internal static class LocalScenarios
{
    public static readonly LocalScenario Kill = new("kill", "kill -9 of the primary, promotion", KillAsync);
    public static readonly LocalScenario Stop = new("stop", "pg_ctl stop -m fast of the primary, promotion", StopAsync);
    public static readonly LocalScenario Frozen = new("frozen", "frozen primary (SIGSTOP), promotion, thawed afterwards", FreezeAsync);
    public static readonly LocalScenario BlackHole = new("black-hole", "black-holed primary, promotion, reachable again afterwards", SwallowAsync)
    {
        Proxied = true,
    };
    public static readonly LocalScenario Restart = new("restart", "restart of the primary in place", RestartAsync);
    public static readonly LocalScenario Switchover = new("switchover", "switchover and back", SwitchAsync);
    public static readonly LocalScenario StandbyLost = new("standby", "kill -9 of a standby, which comes back", LoseStandbyAsync) { Reading = true };
    public static readonly LocalScenario SplitBrain = new("split-brain", "a second primary beside the old one, which takes writes and is stopped later", SplitAsync)
    {
        Synchronous = false, // With it one of the two could not acknowledge anything.
    };

    /// <summary>What a failover manager takes to believe it.</summary>
    private static readonly TimeSpan Detection = TimeSpan.FromSeconds(1);

    /// <summary>How long everybody goes on after the last turn of the story.</summary>
    private static readonly TimeSpan Aftermath = TimeSpan.FromSeconds(1);

    /// <summary>How long two primaries take writes.</summary>
    private static readonly TimeSpan Schism = TimeSpan.FromSeconds(1.5);

    private static readonly TimeSpan ReplicationLimit = TimeSpan.FromSeconds(30);

    public static IReadOnlyList<LocalScenario> All { get; } = [Kill, Stop, Frozen, BlackHole, Restart, Switchover, StandbyLost, SplitBrain];

    private static async IAsyncEnumerable<Outage> KillAsync(LocalBed bed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var faultAt = Stopwatch.GetTimestamp();
        await bed.Cluster.KillAsync(bed.Cluster.PrimaryIndex, cancellationToken);
        await Task.Delay(Detection, cancellationToken);
        yield return await bed.FailOverAsync(faultAt, null, cancellationToken);
        await Task.Delay(Aftermath, cancellationToken);
    }

    private static async IAsyncEnumerable<Outage> StopAsync(LocalBed bed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var faultAt = Stopwatch.GetTimestamp();
        await bed.Cluster.StopAsync(bed.Cluster.PrimaryIndex, StopMode.Fast, cancellationToken);
        await Task.Delay(Detection, cancellationToken);
        yield return await bed.FailOverAsync(faultAt, null, cancellationToken);
        await Task.Delay(Aftermath, cancellationToken);
    }

    private static async IAsyncEnumerable<Outage> FreezeAsync(LocalBed bed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var old = bed.Cluster.PrimaryIndex;
        var faultAt = Stopwatch.GetTimestamp();
        bed.Cluster.Freeze(old);
        await Task.Delay(Detection, cancellationToken);
        yield return await bed.FailOverAsync(faultAt, null, cancellationToken);
        bed.Cluster.Thaw(old);
        await Task.Delay(Aftermath, cancellationToken);
    }

    // The standbys do not hear of it either, so it is no partition in which the old primary could go on.
    private static async IAsyncEnumerable<Outage> SwallowAsync(LocalBed bed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var old = bed.Cluster.PrimaryIndex;
        var faultAt = Stopwatch.GetTimestamp();
        bed.Proxies[old].DropConnections();
        bed.Proxies[old].FailAll(FaultAction.BlackHole);
        bed.Cluster.Freeze(old);
        await Task.Delay(Detection, cancellationToken);
        yield return await bed.FailOverAsync(faultAt, null, cancellationToken);
        bed.Cluster.Thaw(old);
        bed.Proxies[old].AcceptConnections();
        await Task.Delay(Aftermath, cancellationToken);
    }

    private static async IAsyncEnumerable<Outage> RestartAsync(LocalBed bed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var faultAt = Stopwatch.GetTimestamp();
        await bed.Cluster.StopAsync(bed.Cluster.PrimaryIndex, StopMode.Fast, cancellationToken);
        yield return await bed.StartAgainAsync(faultAt, cancellationToken);
        await Task.Delay(Aftermath, cancellationToken);
    }

    private static async IAsyncEnumerable<Outage> SwitchAsync(LocalBed bed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var first = bed.Cluster.PrimaryIndex;
        foreach (var heir in new[] { (first + 1) % bed.Cluster.NodeCount, first })
        {
            var old = bed.Cluster.PrimaryIndex;
            var faultAt = Stopwatch.GetTimestamp();
            await bed.Cluster.StopAsync(old, StopMode.Fast, cancellationToken);
            yield return await bed.FailOverAsync(faultAt, heir, cancellationToken);
            await bed.RejoinAsync(old, cancellationToken);
            await Task.Delay(Aftermath, cancellationToken);
        }
    }

    private static async IAsyncEnumerable<Outage> LoseStandbyAsync(LocalBed bed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var standby = (bed.Cluster.PrimaryIndex + 1) % bed.Cluster.NodeCount;
        var faultAt = Stopwatch.GetTimestamp();
        bed.Depose(standby);
        await bed.Cluster.KillAsync(standby, cancellationToken);
        yield return new(bed.Cluster.Port(bed.Cluster.PrimaryIndex), faultAt, faultAt, faultAt);
        await Task.Delay(Aftermath, cancellationToken);
        await bed.RejoinAsync(standby, cancellationToken);
        await Task.Delay(Aftermath, cancellationToken);
    }

    private static async IAsyncEnumerable<Outage> SplitAsync(LocalBed bed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var cluster = bed.Cluster;
        var old = cluster.PrimaryIndex;
        var heir = (old + 1) % cluster.NodeCount;

        // The heir has everything that was acknowledged before the fork, so that all of that can be demanded of it.
        await cluster.SetAsync(old, "synchronous_standby_names", $"n{heir}", cancellationToken);
        await using (var primary = await bed.OpenPrimaryAsync(cancellationToken))
        {
            await Poll.UntilAsync(
                async () => await primary.ScalarAsync("select exists (select from pg_stat_replication where sync_state = 'sync')", cancellationToken) is true,
                ReplicationLimit,
                () => $"node {heir} is no synchronous standby of node {old}",
                cancellationToken);
        }
        await Task.Delay(Aftermath, cancellationToken);
        var forkedAt = Stopwatch.GetTimestamp();
        await cluster.SetAsync(old, "synchronous_standby_names", null, cancellationToken);

        // The third one stays with the old primary, and has to be brought back from there as well.
        bed.Depose((old + 2) % cluster.NodeCount);
        var outage = await bed.PromoteAsync(heir, forkedAt, cancellationToken);
        await Task.Delay(Schism, cancellationToken);

        // It serves until it ends its sessions: to start pg_ctl takes a while.
        var stopped = EndWatch.RunAsync(await cluster.AdminConnectionAsync(old, cancellationToken: cancellationToken), cancellationToken);
        var stopping = cluster.StopAsync(old, StopMode.Fast, cancellationToken);
        var stoppedAt = await stopped;
        yield return outage with { FaultAt = stoppedAt, WritableAt = stoppedAt, ForkedAt = forkedAt };
        await stopping;
        await Task.Delay(Aftermath, cancellationToken);
    }
}
