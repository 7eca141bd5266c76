using DbRetry.EFCore.Hosts;

namespace DbRetry.EFCore.Retry;

/// <summary>A transaction whose connection is gone, and of which nothing was committed.</summary>
internal sealed class TransactionLostException : InvalidOperationException
{
    private const string Advice = "dispose the transaction and run its work again, "
        + "or put it into Database.CreateExecutionStrategy().Execute(…) or Database.ExecuteInTransactionScope(…), which do so.";

    private TransactionLostException(string message, Exception? loss)
        : base(message, loss)
    {
    }

    /// <summary>Thrown instead of silently going on outside the transaction.</summary>
    internal static TransactionLostException BeforeCommit(HostRef? host, Exception? loss)
        => new(
            $"The connection{To(host)} was lost inside a transaction, which the server has rolled back or will. "
            + $"Nothing more can run in it, and nothing of it was committed: {Advice}",
            loss);

    /// <summary>Thrown when COMMIT was not answered and the server was found not to have applied it.</summary>
    internal static TransactionLostException NotCommitted(HostRef? host, Exception loss)
        => new(
            $"The connection{To(host)} was lost while a transaction was being committed. The cluster was asked since: it is not committed and never "
            + $"will be. Nothing of it was applied: {Advice}",
            loss);

    private static string To(HostRef? host) => host is { } known ? $" to {known}" : string.Empty;
}
