namespace DbRetry.EFCore;

/// <summary>
/// A connection was lost during COMMIT, and the cluster was asked what became of the transaction: see <see cref="DbRetryOptions.OnDoubtResolved"/>.
/// </summary>
/// <param name="Host">The host that was asked to commit, without credentials; <see langword="null"/> if it is not known.</param>
/// <param name="Outcome">What was established.</param>
/// <param name="TransactionId">The transaction's id (<c>xid8</c>); <see langword="null"/> if it is not known.</param>
/// <param name="Duration">How long it took.</param>
/// <param name="Answers">What each host answered.</param>
public sealed record DoubtEvent(string? Host, CommitOutcome Outcome, ulong? TransactionId, TimeSpan Duration, string Answers);

/// <summary>What became of a transaction whose COMMIT was not answered.</summary>
public enum CommitOutcome
{
    /// <summary>It could not be established: the caller gets a <see cref="CommitOutcomeUnknownException"/>.</summary>
    Unknown,

    /// <summary>It was applied: the caller notices nothing.</summary>
    Committed,

    /// <summary>It was not applied: the unit runs again.</summary>
    NotCommitted,
}
