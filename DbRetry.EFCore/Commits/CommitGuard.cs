using System.Data.Common;
using DbRetry.EFCore.Commits.Witness;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Silence;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Retry.Reporting;
using DbRetry.EFCore.Seams;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>Commits, and when the answer is lost, finds out what it was.</summary>
internal sealed partial class CommitGuard(
    ContextSettings context,
    AttemptLog log,
    AnswerWatch watch,
    TransactionReadings readings,
    WitnessUpkeep witnesses,
    EventReporter reporter,
    TimeProvider time,
    Random random,
    IAnswerFault? answerFault = null)
{
    /// <summary>How long a cancelled caller is kept waiting for the outcome of a COMMIT that was sent already.</summary>
    internal static readonly TimeSpan CancellationGrace = TimeSpan.FromSeconds(2);

    private RetrySettings Settings => context.Settings!;

    /// <summary>Returns when the transaction is committed, whether the server's answer arrived or not.</summary>
    /// <exception cref="CommitOutcomeUnknownException">It could not be established whether it is committed.</exception>
    /// <exception cref="InvalidOperationException">
    /// It is not committed: its connection was lost, a statement in it failed, or its server is not the primary any more.
    /// </exception>
    internal void Commit(NpgsqlConnection connection, DbTransaction transaction)
    {
        log.ThrowIfOver(connection);
        var proof = Prepare(connection);
        log.Enter(AttemptPhase.Committing);
        watch.Sent(connection);
        try
        {
            using var limit = AnswerLimit.Start(connection, time);
            if (proof is null)
            {
                transaction.Commit();
            }
            else
            {
                proof.Commit(connection, transaction);
            }

            answerFault?.Answered(connection);
        }
        catch (Exception exception) when (IsInDoubt(connection, exception))
        {
            var answer = Verifier(connection, proof, exception).Verify();
            reporter.DoubtResolved(Settings, Doubt(proof!, answer));
            Conclude(proof!, answer, exception);
        }

        log.Enter(AttemptPhase.None);
    }

    /// <inheritdoc cref="Commit"/>
    /// <exception cref="OperationCanceledException">The caller cancelled, and the transaction is not committed.</exception>
    internal async Task CommitAsync(NpgsqlConnection connection, DbTransaction transaction, CancellationToken cancellationToken)
    {
        log.ThrowIfOver(connection);
        var proof = await PrepareAsync(connection, cancellationToken).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        log.Enter(AttemptPhase.Committing);
        watch.Sent(connection);
        try
        {
            using var limit = AnswerLimit.Start(connection, time);
            await AnswerAsync(connection, transaction, proof, cancellationToken).ConfigureAwait(false);
            if (answerFault is not null)
            {
                await answerFault.AnsweredAsync(connection).ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (IsInDoubt(connection, exception))
        {
            var answer = await VerifyAsync(Verifier(connection, proof, exception), cancellationToken).ConfigureAwait(false);
            await reporter.DoubtResolvedAsync(Settings, Doubt(proof!, answer), cancellationToken).ConfigureAwait(false);
            if (answer.Verdict is CommitVerdict.NotCommitted)
            {
                log.Enter(AttemptPhase.InTransaction);
                cancellationToken.ThrowIfCancellationRequested();
            }

            Conclude(proof!, answer, exception);
        }

        log.Enter(AttemptPhase.None);
    }

    // The token must not reach the driver: it would ask the server to cancel, and a COMMIT that waits for a synchronous standby then succeeds
    // although a failover may lose it (PostgreSQL: "canceling wait for synchronous replication due to user request").
    private async Task AnswerAsync(
        NpgsqlConnection connection, DbTransaction transaction, ICommitProof? proof, CancellationToken cancellationToken)
    {
        var commit = proof?.CommitAsync(connection, transaction) ?? transaction.CommitAsync(CancellationToken.None);
        if (!cancellationToken.CanBeCanceled || commit.IsCompleted)
        {
            await commit.ConfigureAwait(false);
            return;
        }

        try
        {
            await commit.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!commit.IsCompleted)
        {
            try
            {
                await commit.WaitAsync(CancellationGrace, time, CancellationToken.None).ConfigureAwait(false);
            }
            catch (TimeoutException) when (!commit.IsCompleted)
            {
                ConnectorState.BreakSocket(connection);
                await commit.ConfigureAwait(false);
            }
        }
    }

    private static async Task<CommitAnswer> VerifyAsync(CommitVerifier verifier, CancellationToken cancellationToken)
    {
        using var grace = new CancellationTokenSource();
        var registration = cancellationToken.Register(() => grace.CancelAfter(CancellationGrace));
        await using (registration.ConfigureAwait(false))
        {
            try
            {
                return await verifier.VerifyAsync(grace.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return new(CommitVerdict.Unknown, "the caller cancelled before a host answered");
            }
        }
    }

    // A connection that is still open, or an error from the server itself, is an answer: it did not commit (ServerBehavior/CommitFaultsTests).
    private bool IsInDoubt(NpgsqlConnection connection, Exception exception)
        => connection.IsGone() && Answer(exception) is not ServerAnswer.Complete;

    private ServerAnswer Answer(Exception exception)
        => FailureClassifier.Classify(exception, AttemptPhase.Committing, connectionBroken: true, Settings.Rules).Answer;

    /// <summary>Who can settle the doubt.</summary>
    /// <exception cref="TransactionLostException">It is settled without asking: nothing was committed.</exception>
    /// <exception cref="CommitOutcomeUnknownException">Nobody can.</exception>
    private CommitVerifier Verifier(NpgsqlConnection connection, ICommitProof? proof, Exception exception)
    {
        log.Lost(connection, exception);
        if (Settings.CommitVerification is CommitVerification.None
            || proof is { WroteNothing: true }
            || (proof is null && Answer(exception) is ServerAnswer.SessionEnded))
        {
            // Nobody wants to know, there was nothing to commit, or the server ended the session instead: a COMMIT that is a simple query of its
            // own is not interrupted once it has taken effect (see ServerAnswer).
            log.Enter(AttemptPhase.InTransaction);
            throw TransactionLostException.NotCommitted(log.Host, exception);
        }

        if (proof is null)
        {
            reporter.OutcomeUnknown(log.Host?.ToString());
            throw new CommitOutcomeUnknownException(log.Host?.ToString(), exception);
        }

        var host = Host(connection);
        host.Distrust();
        return Verifier(connection, proof, host);
    }

    private CommitVerifier Verifier(NpgsqlConnection connection, ICommitProof proof, HostRef host)
    {
        var since = time.GetTimestamp();
        if (log.IsRunning)
        {
            log.Failed(since);
            since = log.FirstFailureAt!.Value;
        }

        return new CommitVerifier(proof, host.Route, host.Index, connection, Settings, time, random, since);
    }

    private HostRef Host(NpgsqlConnection connection) => log.Host ?? new HostRef(new CallersRoute(connection), 0);

    private DoubtEvent Doubt(ICommitProof proof, CommitAnswer answer)
        => new(log.Host?.ToString(), answer.Outcome, proof.Xid, answer.Duration, answer.Answers);

    private void Conclude(ICommitProof proof, CommitAnswer answer, Exception exception)
    {
        switch (answer.Verdict)
        {
            case CommitVerdict.Committed:
                return;
            case CommitVerdict.NotCommitted:
                if (log.IsRunning && answer.By is { } by)
                {
                    log.Refute(new(proof, by));
                }

                log.Enter(AttemptPhase.InTransaction);
                throw TransactionLostException.NotCommitted(log.Host, exception);
            default:
                throw new CommitOutcomeUnknownException(log.Host?.ToString(), proof.Xid, answer.Answers, exception);
        }
    }
}
