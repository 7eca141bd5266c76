using System.Data;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace DbRetry.EFCore.Transactions;

/// <summary>Work in a scope that is run again as a whole while that is safe and useful, each time from the same state of the change tracker.</summary>
internal sealed class ReplayableUnit(DatabaseFacade database, IsolationLevel? level, TransactionScopeMode mode)
{
    private readonly OpenScopes _scopes = OpenScopes.Of(database);
    private TrackerSnapshot? _before;
    private bool _isReplay;

    internal TResult Run<TResult>(Func<TResult> operation)
    {
        using (Remember())
        {
            try
            {
                return database.CreateExecutionStrategy().Execute(() =>
                {
                    BeginAttempt();
                    using var scope = _scopes.Begin(level, mode);
                    var result = operation();
                    scope.Complete();
                    return result;
                });
            }
            catch (Exception exception) when (NothingWasApplied(exception))
            {
                PutBack();
                throw;
            }
        }
    }

    // The operation is the caller's code: it runs in the caller's synchronization context, in every attempt.
    internal async Task<TResult> RunAsync<TResult>(Func<CancellationToken, Task<TResult>> operation, CancellationToken cancellationToken)
    {
        using (Remember())
        {
            try
            {
                return await database.CreateExecutionStrategy().ExecuteAsync(
                    async token =>
                    {
                        BeginAttempt();
                        var scope = await _scopes.BeginAsync(level, mode, token).ConfigureAwait(true);
                        await using (scope.ConfigureAwait(true))
                        {
                            var result = await operation(token).ConfigureAwait(true);
                            await scope.CompleteAsync(token).ConfigureAwait(true);
                            return result;
                        }
                    },
                    cancellationToken).ConfigureAwait(true);
            }
            catch (Exception exception) when (NothingWasApplied(exception))
            {
                PutBack();
                throw;
            }
        }
    }

    // A unit inside a scope is a part of it, and whoever owns the scope puts the tracker back.
    private TrackerSnapshot? Remember()
        => _before = _scopes.IsAny ? null : TrackerSnapshot.Take(_scopes.Context);

    private void BeginAttempt()
    {
        if (_isReplay)
        {
            _before?.Restore();
        }

        _isReplay = true;
    }

    // When the outcome is unknown, entities that look unsaved would be saved a second time.
    private static bool NothingWasApplied(Exception exception)
        => !ExceptionChain.Walk(exception).Any(static inner => inner is CommitOutcomeUnknownException);

    private void PutBack()
    {
        try
        {
            _before?.Restore();
        }
        catch (Exception)
        {
            // The failure of the unit says more than this one. A tracker that is half put back must not be saved.
            _scopes.Context.ChangeTracker.Clear();
        }
    }
}
