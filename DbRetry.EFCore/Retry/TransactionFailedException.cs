namespace DbRetry.EFCore.Retry;

/// <summary>COMMIT of a transaction in which a statement failed: the server would answer ROLLBACK, and the driver would call it a success.</summary>
internal sealed class TransactionFailedException(Exception? failure) : InvalidOperationException(
    "The transaction cannot be committed: a statement in it failed, so the server would roll it back and merely say so in passing. Nothing of it was "
    + "applied. Roll back to a savepoint after a failure that is to be survived, or run the whole transaction again. See the inner exception for the failure.",
    failure);
