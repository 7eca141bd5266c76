using System.Data;
using DbRetry.EFCore.Tests.Retry;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Transactions;

/// <summary>The synchronous or the asynchronous twin of what tests do with scopes.</summary>
internal static class ScopeTwin
{
    public static Task<DbRetryTransactionScope> BeginScopeAsync(
        this DbContext context, bool async, IsolationLevel? level = null, TransactionScopeMode mode = TransactionScopeMode.ReadWrite)
        => async
            ? context.Database.BeginTransactionScopeAsync(level, mode)
            : Twin.Caught(() => context.Database.BeginTransactionScope(level, mode));

    public static Task CompleteAsync(this DbRetryTransactionScope scope, bool async)
        => async
            ? scope.CompleteAsync()
            : Twin.Caught(() =>
            {
                scope.Complete();
                return true;
            });

    public static async Task EndAsync(this DbRetryTransactionScope scope, bool async)
    {
        if (async)
        {
            await scope.DisposeAsync();
        }
        else
        {
            scope.Dispose();
        }
    }

    /// <summary>Runs a unit, whose work completes synchronously when it is not <paramref name="async"/>.</summary>
    public static Task<T> UnitAsync<T>(this DbContext context, bool async, Func<Task<T>> work, IsolationLevel? level = null)
        => async
            ? context.Database.ExecuteInTransactionScopeAsync(_ => work(), level)
            : Twin.Caught(() => context.Database.ExecuteInTransactionScope(() => work().GetAwaiter().GetResult(), level));

    public static Task UnitAsync(this DbContext context, bool async, Func<Task> work, IsolationLevel? level = null)
        => async
            ? context.Database.ExecuteInTransactionScopeAsync(_ => work(), level)
            : Twin.Caught(() =>
            {
                context.Database.ExecuteInTransactionScope(() => work().GetAwaiter().GetResult(), level);
                return true;
            });

    /// <summary>What a real conflict looks like, whenever it is wanted.</summary>
    public static Task ConflictAsync(this DbContext context, bool async)
        => context.SqlAsync(async, "do $$ begin raise exception using errcode = '40001'; end $$");
}
