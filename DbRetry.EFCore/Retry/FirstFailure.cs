using Npgsql;

namespace DbRetry.EFCore.Retry;

/// <summary>Finds what really failed behind an exception that is a mere consequence of it.</summary>
internal static class FirstFailure
{
    /// <remarks>
    /// After a connection broke inside a transaction, what surfaces is often its follow-up: "Transaction is already completed",
    /// <c>ObjectDisposedException: NpgsqlTransaction</c>, or our own refusal to reopen. They are all of these two types, and nothing of the
    /// lost transaction was committed, so judging by the loss is safe whatever the follow-up says. After a failed statement it is 25P02, or
    /// our own refusal to commit, or to complete a scope in which the failure doomed an inner one.
    /// </remarks>
    internal static Exception Of(Exception exception, AttemptLog log)
        => log switch
        {
            { ConnectionLoss: { } loss } when IsFollowUp(exception) => loss,
            { FailureInTransaction: { } failure } when exception is TransactionFailedException or TransactionScopeDoomedException
                or PostgresException { SqlState: PostgresErrorCodes.InFailedSqlTransaction } => failure,
            _ => exception,
        };

    private static bool IsFollowUp(Exception exception)
    {
        for (var current = exception; current is not null; current = current.InnerException)
        {
            if (current is CommitOutcomeUnknownException)
            {
                return false;
            }

            if (current is ObjectDisposedException or InvalidOperationException)
            {
                return true;
            }
        }

        return false;
    }
}
