using DbRetry.EFCore.Commits.Witness;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <content>What a COMMIT leaves behind, and what must be known before it.</content>
internal sealed partial class CommitGuard
{
    private ICommitProof? Prepare(NpgsqlConnection connection)
    {
        switch (Kind(connection))
        {
            case CommitVerification.TransactionStatus:
                var identity = log.Identity ?? readings.Identity(connection);
                foreach (var earlier in RefutedElsewhere(identity))
                {
                    Refute(earlier, Verifier(connection, earlier.Proof, Host(connection)).Verify());
                }

                return new StatusProof(Noted(identity));
            case CommitVerification.Witness when MayForbidWrites(connection) && readings.ForbidsWrites(connection):
                return null;
            case CommitVerification.Witness:
                witnesses.EnsureTable(connection, Settings.WitnessTable);
                return new WitnessProof(witnesses, Settings.WitnessTable, connection.ProcessID, Settings.FailoverTimeout);
            default:
                return null;
        }
    }

    private async ValueTask<ICommitProof?> PrepareAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        switch (Kind(connection))
        {
            case CommitVerification.TransactionStatus:
                var identity = log.Identity ?? await readings.IdentityAsync(connection, cancellationToken).ConfigureAwait(false);
                foreach (var earlier in RefutedElsewhere(identity))
                {
                    Refute(earlier, await VerifyAsync(Verifier(connection, earlier.Proof, Host(connection)), cancellationToken).ConfigureAwait(false));
                }

                return new StatusProof(Noted(identity));
            case CommitVerification.Witness when MayForbidWrites(connection) && await readings.ForbidsWritesAsync(connection, cancellationToken).ConfigureAwait(false):
                return null;
            case CommitVerification.Witness:
                await witnesses.EnsureTableAsync(connection, Settings.WitnessTable, cancellationToken).ConfigureAwait(false);
                return new WitnessProof(witnesses, Settings.WitnessTable, connection.ProcessID, Settings.FailoverTimeout);
            default:
                return null;
        }
    }

    // A transaction in which nothing was written that EF knows of costs nothing.
    private CommitVerification Kind(NpgsqlConnection connection)
        => !log.MayHaveWritten ? CommitVerification.Surface
            : Settings.CommitVerification is CommitVerification.TransactionStatus && !TransactionQueries.KnowsStatus(connection) ? CommitVerification.Surface
            : Settings.CommitVerification;

    // One that is READ ONLY takes no witness. Whether it is, the server is asked only where something hints at it.
    private bool MayForbidWrites(NpgsqlConnection connection)
        => log.MayBeReadOnly || HostRoles.Reported(connection) is HostRole.ReadOnlyPrimary;

    private TransactionIdentity Noted(TransactionIdentity identity)
    {
        if (log.Host is { } host && identity != TransactionIdentity.OfNoWrite)
        {
            RecoveryMemory.Of(host.Route.Cluster).Note(host.ToString(), identity.Server);
            if (!host.Route.Cluster.Advance(identity.Server.History))
            {
                throw new SupersededPrimaryException(host, identity.Server.History, host.Route.Cluster.NewestTimeline);
            }
        }

        return identity;
    }

    // They had no effect in the history that was asked. This transaction is about to do their work again in another one, which may have it.
    private RefutedCommit[] RefutedElsewhere(TransactionIdentity identity)
        => log.Refuted.IsEmpty || identity.Xid is null ? [] : [.. log.Refuted.Where(earlier => !earlier.HoldsOn(identity.Server))];

    private void Refute(RefutedCommit earlier, CommitAnswer answer)
    {
        if (answer is not { Verdict: CommitVerdict.NotCommitted, By: { } by })
        {
            reporter.OutcomeUnknown(log.Host?.ToString());
            throw new CommitOutcomeUnknownException(
                log.Host?.ToString(), earlier.Proof.Xid, $"timeline {earlier.By.Timeline} does not have it, but now {answer.Answers}", innerException: null);
        }

        log.Refute(earlier with { By = by });
    }
}
