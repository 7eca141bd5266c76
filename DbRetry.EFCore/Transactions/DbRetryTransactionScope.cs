using DbRetry.EFCore.Transactions;

namespace DbRetry.EFCore;

/// <summary>
/// Work on one context that is kept as a whole by <see cref="Complete"/>, or not at all: disposal without it rolls back, as that of
/// <see cref="System.Transactions.TransactionScope"/> does. Begun by <c>context.Database.BeginTransactionScope()</c>.
/// </summary>
/// <remarks>
/// <para>A scope inside another one of the same context takes part in its transaction; if it is not completed, the outer one cannot be either.</para>
/// <para>
/// A scope in a transaction that the application began (or passed in) adopts it: <see cref="Complete"/> leaves the commit to the application, and
/// disposal without it undoes the work of the scope alone, by a savepoint; the transaction goes on. In a transaction of
/// <c>System.Transactions</c>, disposal without <see cref="Complete"/> dooms that transaction.
/// </para>
/// <para>Like its context, a scope is used by one thread at a time.</para>
/// </remarks>
public sealed class DbRetryTransactionScope : IDisposable, IAsyncDisposable
{
    private readonly ScopeChain _chain;
    private readonly IScopeTransaction _transaction;
    private bool _isCompleted;
    private bool _isDisposed;

    internal DbRetryTransactionScope(ScopeChain chain, IScopeTransaction transaction)
    {
        _chain = chain;
        _transaction = transaction;
    }

    /// <summary>Keeps the work: the outermost scope commits, one inside it agrees to that.</summary>
    /// <exception cref="ObjectDisposedException">The scope is disposed.</exception>
    /// <exception cref="InvalidOperationException">
    /// The scope was completed before; a scope inside it is still open, or was not completed; its transaction has ended without it, or was lost.
    /// </exception>
    /// <exception cref="CommitOutcomeUnknownException">It could not be established whether the transaction is committed.</exception>
    public void Complete()
    {
        if (IsOutermost())
        {
            _transaction.Complete();
            _chain.End();
        }
    }

    /// <inheritdoc cref="Complete"/>
    /// <param name="cancellationToken">Cancels the wait for the answer to COMMIT, if it is not answered within two seconds of that.</param>
    /// <returns>A task that ends when the work is kept.</returns>
    /// <exception cref="OperationCanceledException">The caller cancelled, and the transaction is not committed.</exception>
    public async Task CompleteAsync(CancellationToken cancellationToken = default)
    {
        if (IsOutermost())
        {
            await _transaction.CompleteAsync(cancellationToken).ConfigureAwait(false);
            _chain.End();
        }
    }

    /// <summary>Undoes the work, unless it was completed. Never throws: what made the work fail says more than a failed clean-up.</summary>
    public void Dispose()
    {
        if (IsToBeUndone())
        {
            try
            {
                _transaction.Undo();
            }
            catch (Exception)
            {
                // Nothing of the scope can be committed all the same: the server rolls back a transaction whose connection is lost, and one in which
                // a rollback to a savepoint failed refuses to commit.
            }
        }
    }

    /// <inheritdoc cref="Dispose"/>
    /// <returns>A task that ends when the work is undone.</returns>
    public async ValueTask DisposeAsync()
    {
        if (IsToBeUndone())
        {
            try
            {
                await _transaction.UndoAsync().ConfigureAwait(false);
            }
            catch (Exception)
            {
                // As in Dispose.
            }
        }
    }

    private bool IsOutermost()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (_isCompleted)
        {
            throw new InvalidOperationException(
                "The transaction scope was completed already, or its completion has failed. Call Complete() once, when all of its work is done.");
        }

        var isOutermost = _chain.Complete(this);
        if (!_transaction.IsCurrent)
        {
            throw new InvalidOperationException(
                "The transaction scope cannot be completed: its context no longer runs in its transaction, which was ended or replaced past the scope, "
                + "or the context was disposed before it. Leave the commit and the rollback to the scope.");
        }

        _isCompleted = true;
        return isOutermost;
    }

    private bool IsToBeUndone()
    {
        if (_isDisposed)
        {
            return false;
        }

        _isDisposed = true;
        return _chain.Abandon(this);
    }
}
