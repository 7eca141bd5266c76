namespace DbRetry.EFCore.Commits;

/// <summary>What became of a transaction whose COMMIT was not answered.</summary>
internal enum CommitVerdict
{
    /// <summary>The evidence does not suffice.</summary>
    Unknown,

    /// <summary>It is not decided yet: the old backend still runs it.</summary>
    InProgress,

    /// <summary>It was applied.</summary>
    Committed,

    /// <summary>It was rolled back, or it is not in the history that survived; it may be run again.</summary>
    NotCommitted,
}

/// <summary>Judges a transaction by what was noted before its COMMIT and what the current primary says now.</summary>
/// <remarks>
/// <para>
/// <c>pg_xact_status</c> alone lies: after a crash or a failover, a transaction id whose WAL was lost is handed out again, and the status is then a
/// stranger's (ServerBehavior/TransactionStatusFacts). It is the transaction's own only if the WAL up to its first record survived every recovery
/// in between.
/// </para>
/// <para>
/// The server shows how far its last recovery replayed, but not how many there were: when it crashed twice between the note and the
/// question, the second recovery hides the first. What this process has seen of recoveries in between counts as well (<see cref="RecoveryMemory"/>), and
/// the question is asked as soon as anybody answers: what remains is a server that recovers, serves others, and crashes again while nobody here gets in.
/// </para>
/// <para>A transaction that does nothing but NOTIFY has no id before its COMMIT, and is run again when the answer to that is lost.</para>
/// </remarks>
internal static class CommitVerdicts
{
    /// <param name="identity">What was noted.</param>
    /// <param name="evidence">What the current primary says.</param>
    /// <param name="seen">Recoveries that were seen, whenever they took place.</param>
    internal static CommitVerdict Decide(TransactionIdentity identity, CommitEvidence evidence, IReadOnlyList<SeenRecovery> seen)
    {
        if (identity.Xid is null)
        {
            return CommitVerdict.NotCommitted;
        }

        var (then, insertLsn) = (identity.Server, identity.InsertLsn);
        return evidence.Server is not { } now || now.SystemIdentifier != then.SystemIdentifier ? CommitVerdict.Unknown
            : now.HasNotRecoveredSince(then) ? Trust(evidence.Status)
            : now.Timeline - then.Timeline is not (0 or 1) || now.LastReplayLsn is not { } replayed ? CommitVerdict.Unknown
            : replayed < insertLsn ? CommitVerdict.NotCommitted
            : Lost(identity, evidence.Host, now, seen) ?? Trust(evidence.Status);
    }

    private static CommitVerdict? Lost(TransactionIdentity identity, string host, ServerIncarnation now, IReadOnlyList<SeenRecovery> seen)
    {
        CommitVerdict? verdict = null;
        foreach (var recovery in seen)
        {
            var server = recovery.Server;
            if (server.LastReplayLsn < identity.InsertLsn && server.Timeline <= now.Timeline && server.RecoveredAfter(identity.Server))
            {
                if (!MayBeAnother(recovery))
                {
                    return CommitVerdict.NotCommitted;
                }

                verdict = CommitVerdict.Unknown;
            }
        }

        return verdict;

        // Two standbys that are promoted without knowing of each other begin the same timeline, and what one of them lost the other one may have.
        bool MayBeAnother(SeenRecovery recovery)
            => recovery.Host != host && recovery.Server.Timeline == now.Timeline && now.Timeline > identity.Server.Timeline;
    }

    private static CommitVerdict Trust(XidStatus status)
        => status switch
        {
            XidStatus.Committed => CommitVerdict.Committed,
            XidStatus.Aborted => CommitVerdict.NotCommitted,
            XidStatus.InProgress => CommitVerdict.InProgress,

            // Nobody can have forgotten, or not yet know, an id whose WAL it has: this is not the server we take it for.
            _ => CommitVerdict.Unknown,
        };
}
