namespace DbRetry.EFCore;

/// <summary>How the outcome of a transaction is established whose connection was lost while it was being committed.</summary>
public enum CommitVerification
{
    /// <summary>
    /// Asks the surviving primary for the status of the transaction id, which is noted along with a write of the transaction, or, where
    /// none could carry the question, in one round trip before its COMMIT. Needs PostgreSQL 13 or later; older servers are treated as with <see cref="Surface"/>.
    /// </summary>
    TransactionStatus,

    /// <summary>
    /// Writes a row of its own into the table <see cref="DbRetryOptions.WitnessTable"/>, in the transaction and in the round trip of its COMMIT. The row is
    /// there afterwards if, and only if, the transaction is committed, whatever crashed or failed over in between. Needs PostgreSQL 10 or later and the
    /// table, which is created on demand or by <c>migrationBuilder.CreateDbRetryWitnessTable()</c>.
    /// </summary>
    Witness,

    /// <summary>Costs nothing and asks nothing: every doubt surfaces as <see cref="CommitOutcomeUnknownException"/>.</summary>
    Surface,

    /// <summary>
    /// What EF Core's own retrying strategy does: a transaction in doubt is run again, and so may be applied twice. For work that may be.
    /// </summary>
    None,
}
