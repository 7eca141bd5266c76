using DbRetry.EFCore.Hosts;

namespace DbRetry.EFCore.Retry;

/// <summary>The error of work that goes on inside a transaction whose connection is gone.</summary>
internal static class TransactionLost
{
    internal static TransactionLostException Error(HostRef? host, Exception? loss)
        => new(
            $"The connection{(host is { } known ? $" to {known}" : string.Empty)} was lost inside a transaction, which the server has rolled back or will. "
            + "Nothing more can run in it, and nothing of it was committed: dispose the transaction and run its work again, "
            + "or put it into Database.CreateExecutionStrategy().Execute(…) or Database.ExecuteInTransactionScope(…), which do so.",
            loss);
}

/// <summary>Thrown instead of silently going on outside a transaction that was lost.</summary>
internal sealed class TransactionLostException(string message, Exception? loss) : InvalidOperationException(message, loss);
