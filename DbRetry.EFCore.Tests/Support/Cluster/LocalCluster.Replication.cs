using System.Diagnostics;
using NpgsqlTypes;

namespace DbRetry.EFCore.Tests.Support.Cluster;

// Who is the primary, and who follows it.
internal sealed partial class LocalCluster
{
    /// <summary>Waits until that many standbys stream from the primary.</summary>
    public async Task WaitForStandbysAsync(int count, CancellationToken cancellationToken = default)
    {
        if (count == 0)
        {
            return;
        }
        await using var primary = await AdminConnectionAsync(PrimaryIndex, cancellationToken: cancellationToken);
        await Poll.UntilAsync(
            async () => await ScalarAsync<long>(
                primary, "select count(*) from pg_stat_replication where state = 'streaming'", cancellationToken) >= count,
            ReplicationLimit,
            () => $"fewer than {count} standbys stream from node {PrimaryIndex}",
            cancellationToken);
    }

    /// <summary>Waits until all running standbys show what the primary has committed by now.</summary>
    public Task WaitForReplayAsync(CancellationToken cancellationToken = default)
        => WaitForReplayAsync([.. Running().Where(node => node != PrimaryIndex)], cancellationToken);

    /// <summary>Waits until some standbys show what the primary has committed by now.</summary>
    public async Task WaitForReplayAsync(int[] standbys, CancellationToken cancellationToken = default)
    {
        if (standbys is [])
        {
            return;
        }
        NpgsqlLogSequenceNumber written;
        await using (var primary = await AdminConnectionAsync(PrimaryIndex, cancellationToken: cancellationToken))
        {
            written = await ScalarAsync<NpgsqlLogSequenceNumber>(primary, "select pg_current_wal_flush_lsn()", cancellationToken);
        }
        await Task.WhenAll(standbys.Select(async node =>
        {
            // Asked of the standby itself: pg_stat_replication on the primary may be ten seconds behind when nothing else happens.
            await using var standby = await AdminConnectionAsync(node, cancellationToken: cancellationToken);
            await Poll.UntilAsync(
                () => ScalarAsync<bool>(standby, $"select coalesce(pg_last_wal_replay_lsn() >= '{written}', false)", cancellationToken),
                ReplicationLimit,
                () => $"node {node} has not replayed {written}",
                cancellationToken);
        }));
    }

    /// <summary>Promotes a standby and waits until it takes writes. Does nothing to the old primary.</summary>
    public async Task<Promotion> PromoteAsync(int node, CancellationToken cancellationToken = default)
    {
        await using var standby = await AdminConnectionAsync(node, cancellationToken: cancellationToken);
        await ExecuteAsync(standby, "select pg_promote(wait => false)", cancellationToken);

        // pg_promote's own wait looks every 100 ms only.
        await Poll.UntilAsync(
            () => ScalarAsync<bool>(standby, "select not pg_is_in_recovery()", cancellationToken),
            ReplicationLimit,
            () => $"node {node} was told to become the primary and did not",
            cancellationToken);

        // An assigned transaction id is a write, but one that waits for no synchronous standby.
        await ExecuteAsync(standby, "select pg_current_xact_id()", cancellationToken);
        PrimaryIndex = node;
        return new Promotion(node, DateTimeOffset.UtcNow, Stopwatch.GetTimestamp());
    }

    /// <summary>Promotes the running standby that has received most.</summary>
    public async Task<Promotion> FailoverAsync(CancellationToken cancellationToken = default)
        => await PromoteAsync(await FurthestStandbyAsync(cancellationToken), cancellationToken);

    /// <summary>The running standby that has received most.</summary>
    public async Task<int> FurthestStandbyAsync(CancellationToken cancellationToken = default)
    {
        var candidates = await Task.WhenAll(Running().Where(node => node != PrimaryIndex).Select(async node =>
        {
            await using var standby = await AdminConnectionAsync(node, cancellationToken: cancellationToken);
            return (Node: node, Received: await ScalarAsync<NpgsqlLogSequenceNumber>(
                standby, "select greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())", cancellationToken));
        }));
        return candidates is []
            ? throw new InvalidOperationException("No standby is running.")
            : candidates.MaxBy(candidate => candidate.Received).Node;
    }

    /// <summary>
    /// Tells the other running standbys to follow a node, as a failover manager does: on their own they would not leave a primary that is frozen.
    /// </summary>
    public Task FollowAsync(int node, CancellationToken cancellationToken = default)
        => Task.WhenAll(Running().Where(standby => standby != PrimaryIndex && standby != node).Select(standby => SetAsync(
            standby,
            "primary_conninfo",
            $"host=127.0.0.1 port={Port(node)} user=postgres application_name=n{standby} connect_timeout=2",
            cancellationToken)));

    /// <summary>The running nodes look for the primary by themselves again.</summary>
    public Task FollowPrimaryAsync(CancellationToken cancellationToken = default)
        => Task.WhenAll(Running().Select(node => SetAsync(node, "primary_conninfo", null, cancellationToken)));

    /// <summary>Changes a setting of one running node, or takes the change back.</summary>
    public async Task SetAsync(int node, string setting, string? value, CancellationToken cancellationToken = default)
    {
        await using var admin = await AdminConnectionAsync(node, cancellationToken: cancellationToken);
        await ExecuteAsync(
            admin, value is null ? $"alter system reset {setting}" : $"alter system set {setting} = '{value}'", cancellationToken);
        await ExecuteAsync(admin, "select pg_reload_conf()", cancellationToken);
    }

    /// <summary>
    /// Makes a node, most often the old primary that was killed, a standby of the current primary, and waits until it streams.
    /// Whatever only that node had is gone then.
    /// </summary>
    public async Task RejoinAsync(int node, CancellationToken cancellationToken = default)
    {
        await _nodes[node].KillAsync(cancellationToken);
        if (!await TryRewindAsync(node, cancellationToken))
        {
            await CopyFromPrimaryAsync(node, cancellationToken);
        }
        await StartAsStandbyAsync(node, cancellationToken);
    }

    /// <summary>As <see cref="RejoinAsync"/>, by a complete copy of the primary instead of pg_rewind.</summary>
    public async Task RejoinByCopyAsync(int node, CancellationToken cancellationToken = default)
    {
        await _nodes[node].KillAsync(cancellationToken);
        await CopyFromPrimaryAsync(node, cancellationToken);
        await StartAsStandbyAsync(node, cancellationToken);
    }

    private async Task StartAsStandbyAsync(int node, CancellationToken cancellationToken)
    {
        _nodes[node].MarkAsStandby();
        await _nodes[node].StartAsync(cancellationToken);
        await using var primary = await AdminConnectionAsync(PrimaryIndex, cancellationToken: cancellationToken);
        await Poll.UntilAsync(
            () => ScalarAsync<bool>(
                primary,
                $"select exists (select from pg_stat_replication where state = 'streaming' and application_name = 'n{node}')",
                cancellationToken),
            ReplicationLimit,
            () => $"node {node} does not stream from node {PrimaryIndex}. Its log:\n{ReadLog(node)}",
            cancellationToken);
    }

    private async Task<bool> TryRewindAsync(int node, CancellationToken cancellationToken)
    {
        if (Binaries.PgRewind is not { } rewind)
        {
            return false;
        }
        await using (var primary = await AdminConnectionAsync(PrimaryIndex, cancellationToken: cancellationToken))
        {
            // pg_rewind compares timelines by the control file, which names the new one only after a checkpoint.
            await ExecuteAsync(primary, "checkpoint", cancellationToken);
        }
        var source = $"host=127.0.0.1 port={Port(PrimaryIndex)} user=postgres dbname=postgres";
        var (exitCode, _) = await ServerTool.TryRunAsync(
            rewind, ["-D", _nodes[node].DataFolder, "--source-server", source, "--no-sync"], cancellationToken);
        return exitCode == 0;
    }

    private async Task CopyFromPrimaryAsync(int node, CancellationToken cancellationToken)
    {
        var target = _nodes[node].DataFolder;
        LiveClusters.DeleteFolder(target);
        await using var primary = await AdminConnectionAsync(PrimaryIndex, cancellationToken: cancellationToken);
        var (begin, end) = Binaries.Major >= 15
            ? ("select pg_backup_start('rejoin', true)", "select labelfile from pg_backup_stop(false)")
            : ("select pg_start_backup('rejoin', true, false)", "select labelfile from pg_stop_backup(false, false)");
        await ExecuteAsync(primary, begin, cancellationToken);

        // The exit code says nothing: cp complains about each file that the living server removes under its hands.
        await ServerTool.TryRunAsync("cp", ["-a", _nodes[PrimaryIndex].DataFolder, target], cancellationToken);
        var label = Path.Combine(target, "backup_label");
        await File.WriteAllTextAsync(label, await ScalarAsync<string>(primary, end, cancellationToken), cancellationToken);
        ServerAccount.Current.Own(label);
        File.Delete(Path.Combine(target, "postmaster.pid"));
    }

    private IEnumerable<int> Running() => Enumerable.Range(0, NodeCount).Where(node => _nodes[node] is { IsRunning: true, IsFrozen: false });
}
