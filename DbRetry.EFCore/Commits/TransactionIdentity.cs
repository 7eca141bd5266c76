using DbRetry.EFCore.Hosts;

namespace DbRetry.EFCore.Commits;

/// <summary>What is noted of a transaction before its COMMIT, so that its outcome can be established on whichever server survives.</summary>
/// <param name="Xid">The top-level transaction id, with epoch; <see langword="null"/> when the transaction wrote nothing.</param>
/// <param name="InsertLsn">A WAL position behind the transaction's first record, and so behind the record that made its id known.</param>
/// <param name="Server">The incarnation of the server that runs it.</param>
/// <param name="ProcessId">The backend that runs it.</param>
internal sealed record TransactionIdentity(ulong? Xid, long InsertLsn, ServerIncarnation Server, int ProcessId)
{
    /// <summary>Of a transaction on a standby, which cannot write.</summary>
    internal static TransactionIdentity OfNoWrite { get; } = new(null, 0, default, 0);
}

/// <summary>
/// What tells a server from every other, and what changes whenever it recovered, be it after a crash or by promotion (ServerBehavior/RecoveryFacts).
/// </summary>
/// <param name="SystemIdentifier">The same on all servers of a cluster, and on no other.</param>
/// <param name="Timeline">The timeline that it writes.</param>
/// <param name="LastReplayLsn">How far the last recovery since its start replayed; <see langword="null"/> when there was none.</param>
/// <param name="StartedAt">When its postmaster started.</param>
/// <param name="StatisticsSince">
/// When its statistics began: they outlive a clean restart, and every recovery throws them away. <see langword="null"/> before PostgreSQL 15, where
/// they are costly to read.
/// </param>
internal readonly record struct ServerIncarnation(
    long SystemIdentifier, int Timeline, long? LastReplayLsn, DateTime StartedAt, DateTime? StatisticsSince)
{
    /// <summary>Which history it writes.</summary>
    internal ServerTimeline History => new(SystemIdentifier, Timeline);

    /// <summary>Whether this is the server that it was then, and did nothing in between but run or restart cleanly.</summary>
    internal bool HasNotRecoveredSince(ServerIncarnation then)
        => SystemIdentifier == then.SystemIdentifier
            && Timeline == then.Timeline
            && (StartedAt == then.StartedAt
                ? LastReplayLsn == then.LastReplayLsn
                : LastReplayLsn is null && StatisticsSince is not null && StatisticsSince == then.StatisticsSince);

    /// <summary>Whether the recovery that this server shows took place after it, or the server that it is a copy of, was as it was then.</summary>
    internal bool RecoveredAfter(ServerIncarnation then)
        => SystemIdentifier == then.SystemIdentifier
            && (Timeline > then.Timeline
                || (Timeline == then.Timeline && (then.LastReplayLsn is null ? StatisticsSince > then.StatisticsSince : LastReplayLsn > then.LastReplayLsn)));
}
