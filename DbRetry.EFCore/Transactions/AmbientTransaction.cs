using System.Transactions;

namespace DbRetry.EFCore.Transactions;

/// <summary>A transaction of System.Transactions, which commits it: like a TransactionScope, a scope in it can only doom it.</summary>
internal sealed class AmbientTransaction(Transaction transaction) : IScopeTransaction
{
    public bool IsCurrent => true;

    public void Complete()
    {
    }

    public Task CompleteAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Undo() => transaction.Rollback();

    public ValueTask UndoAsync()
    {
        transaction.Rollback();
        return ValueTask.CompletedTask;
    }
}
