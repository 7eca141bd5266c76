using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.EFCore.Transactions;

/// <summary>A transaction that a scope began: it commits it or rolls it back.</summary>
internal sealed class OwnTransaction(DatabaseFacade database, IDbContextTransaction transaction) : IScopeTransaction
{
    public bool IsCurrent => ReferenceEquals(database.CurrentTransaction, transaction);

    // Disposed at once: EF takes the disposal of a transaction for the end of whichever one is current
    // (EFCore.Relational/Storage/RelationalTransaction.cs, ClearTransaction).
    public void Complete()
    {
        transaction.Commit();
        transaction.Dispose();
    }

    public async Task CompleteAsync(CancellationToken cancellationToken)
    {
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        await transaction.DisposeAsync().ConfigureAwait(false);
    }

    public void Undo()
    {
        if (IsCurrent)
        {
            transaction.Dispose();
        }
    }

    public ValueTask UndoAsync() => IsCurrent ? transaction.DisposeAsync() : ValueTask.CompletedTask;
}
