namespace DbRetry.EFCore.Retry;

/// <summary>Completion of a scope inside which another one was not completed.</summary>
internal sealed class TransactionScopeDoomedException() : InvalidOperationException(
    "The transaction scope cannot be completed: a scope inside it was disposed without Complete(). Both are parts of one transaction, so nothing of it "
    + "is committed. Dispose this scope, and run the whole again once the cause is removed.");
