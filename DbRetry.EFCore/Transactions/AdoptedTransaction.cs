using DbRetry.EFCore.Commits;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.EFCore.Transactions;

/// <summary>
/// A transaction that was open before the scope: whoever began it commits it or rolls it back. The scope can only take back its own work, to a savepoint.
/// </summary>
internal sealed class AdoptedTransaction : IScopeTransaction
{
    private static long _last;

    private readonly DatabaseFacade _database;
    private readonly IDbContextTransaction _transaction;
    private readonly string _savepoint = $"dbretry_scope_{Interlocked.Increment(ref _last)}";

    internal AdoptedTransaction(DatabaseFacade database, IDbContextTransaction transaction)
    {
        _database = database;
        _transaction = transaction;
        ((DbRetryTransaction)transaction).SaveAlong(_savepoint);
    }

    public bool IsCurrent => ReferenceEquals(_database.CurrentTransaction, _transaction);

    // Left open, savepoints would nest deeper with every scope.
    public void Complete() => _transaction.ReleaseSavepoint(_savepoint);

    public Task CompleteAsync(CancellationToken cancellationToken) => _transaction.ReleaseSavepointAsync(_savepoint, cancellationToken);

    public void Undo()
    {
        if (IsCurrent)
        {
            _transaction.RollbackToSavepoint(_savepoint);
        }
    }

    public ValueTask UndoAsync()
        => IsCurrent ? new ValueTask(_transaction.RollbackToSavepointAsync(_savepoint)) : ValueTask.CompletedTask;
}
