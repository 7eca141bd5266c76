using DbRetry.Demo.Shop;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.Demo.Trouble;

/// <summary>The script of the demo: what happens to the cluster, and when. Conflicts are the callers' own doing.</summary>
internal sealed class Troublemaker(LocalCluster cluster, Clock clock, EventLog events)
{
    public static readonly TimeSpan Length = TimeSpan.FromSeconds(25);

    private const int EndedSessions = 4;
    private static readonly TimeSpan EndSessionsAt = TimeSpan.FromSeconds(2.5);
    private static readonly TimeSpan KillBackendAt = TimeSpan.FromSeconds(5);

    // Late enough that Npgsql, which avoids a host for ten seconds after a lost session, is back with its writes when it happens.
    private static readonly TimeSpan KillPrimaryAt = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan RejoinAt = TimeSpan.FromSeconds(20);

    /// <summary>What a failover manager takes to believe it.</summary>
    private static readonly TimeSpan Detection = TimeSpan.FromSeconds(1);

    public async Task<PrimaryOutage> RunAsync(CancellationToken cancellationToken)
    {
        events.Add($"orders and transfers begin; the primary is {Address(cluster.PrimaryIndex)}");

        await clock.UntilAsync(EndSessionsAt, cancellationToken);
        var ended = await EndSessionsAsync(cancellationToken);
        events.Add($"pg_terminate_backend of {ended} sessions");

        await clock.UntilAsync(KillBackendAt, cancellationToken);
        var backend = await KillBackendAsync(cancellationToken);
        events.Add($"kill -9 of backend {backend}: the primary throws everybody out and recovers");

        await clock.UntilAsync(KillPrimaryAt, cancellationToken);
        var oldPrimary = cluster.PrimaryIndex;
        var killedAt = clock.Elapsed;
        events.Add($"kill -9 of the primary {Address(oldPrimary)}");
        await cluster.KillAsync(oldPrimary, cancellationToken);

        await clock.UntilAsync(killedAt + Detection, cancellationToken);
        events.Add("promotion of the standby that has received most");
        var promotion = await cluster.FailoverAsync(cancellationToken);
        var outage = new PrimaryOutage(killedAt, clock.At(promotion.FirstWriteTimestamp));
        events.Add($"{Address(promotion.Node)} is the primary");

        await clock.UntilAsync(RejoinAt, cancellationToken);
        await cluster.RejoinAsync(oldPrimary, cancellationToken);
        events.Add($"{Address(oldPrimary)} is back as a standby");

        await clock.UntilAsync(Length, cancellationToken);
        events.Add("no more requests");
        return outage;
    }

    private string Address(int node) => $"127.0.0.1:{cluster.Port(node)}";

    private async Task<long> EndSessionsAsync(CancellationToken cancellationToken)
    {
        await using var admin = await cluster.AdminConnectionAsync(cluster.PrimaryIndex, cancellationToken: cancellationToken);
        return await AskAsync<long>(
            admin,
            $"""
            select count(pg_terminate_backend(pid)) from
                (select pid from pg_stat_activity where application_name = '{ShopOptions.ApplicationName}' limit {EndedSessions}) sessions
            """,
            cancellationToken);
    }

    // A caller's, if any caller has one at this moment; else the one that is asking.
    private async Task<int> KillBackendAsync(CancellationToken cancellationToken)
    {
        await using var admin = await cluster.AdminConnectionAsync(cluster.PrimaryIndex, cancellationToken: cancellationToken);
        var backend = await AskAsync<int>(
            admin,
            $"""
            select pid from pg_stat_activity where backend_type = 'client backend'
            order by application_name = '{ShopOptions.ApplicationName}' desc, state <> 'idle' desc limit 1
            """,
            cancellationToken);
        cluster.KillBackend(cluster.PrimaryIndex, backend);
        return backend;
    }

    private static async Task<T> AskAsync<T>(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
