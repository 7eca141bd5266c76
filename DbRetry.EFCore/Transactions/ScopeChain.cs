using System.Data;
using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Transactions;

/// <summary>The scopes that are open on one transaction, outermost first, and whether its work may still be kept. Does no I/O.</summary>
internal sealed class ScopeChain(IsolationLevel level, TransactionScopeMode mode)
{
    private readonly List<object> _open = [];
    private bool _isDoomed;

    internal IsolationLevel Level { get; } = level;

    internal TransactionScopeMode Mode { get; } = mode;

    /// <summary>Whether the outermost scope has ended, and with it all of them.</summary>
    internal bool IsOver { get; private set; }

    internal void Enter(object scope) => _open.Add(scope);

    /// <summary>A scope says that its work is done.</summary>
    /// <returns>Whether it is the outermost one, so that the work of all has to be kept now, and <see cref="End"/> called after that.</returns>
    /// <exception cref="InvalidOperationException">A scope around it has ended, or one inside it has not, or one inside it was not completed.</exception>
    internal bool Complete(object scope)
    {
        var position = _open.IndexOf(scope);
        if (position < 0)
        {
            throw new InvalidOperationException(
                "The transaction scope cannot be completed: the scope around it has ended first. Nothing of this scope was committed. "
                + "Dispose scopes in the opposite order in which they were begun.");
        }

        if (position < _open.Count - 1)
        {
            throw new InvalidOperationException(
                "The transaction scope cannot be completed yet: a scope inside it is still open. Complete and dispose the inner one first.");
        }

        if (_isDoomed)
        {
            throw new TransactionScopeDoomedException();
        }

        if (position > 0)
        {
            _open.RemoveAt(position);
        }

        return position == 0;
    }

    /// <summary>A scope ends without its work being kept.</summary>
    /// <returns>Whether it is the outermost one, so that the work of all has to be undone now.</returns>
    internal bool Abandon(object scope)
    {
        var position = _open.IndexOf(scope);
        if (position < 0)
        {
            return false;
        }

        _open.RemoveRange(position, _open.Count - position);
        _isDoomed = true;
        IsOver = position == 0;
        return IsOver;
    }

    /// <summary>The work of all scopes is kept.</summary>
    internal void End()
    {
        _open.Clear();
        IsOver = true;
    }
}
