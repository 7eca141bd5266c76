using System.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.EFCore.Tests.Retry;

/// <summary>The synchronous or the asynchronous twin of what tests do with a context, so that one test body covers both.</summary>
internal static class Twin
{
    /// <summary>Runs work that completes synchronously when it is not <paramref name="async"/>.</summary>
    public static Task<T> RunAsync<T>(
        this IExecutionStrategy strategy, bool async, Func<Task<T>> work, CancellationToken cancellationToken = default)
        => async
            ? strategy.ExecuteAsync(_ => work(), cancellationToken)
            : Caught(() => strategy.Execute(() => work().GetAwaiter().GetResult()));

    public static Task RunAsync(this IExecutionStrategy strategy, bool async, Func<Task> work, CancellationToken cancellationToken = default)
        => strategy.RunAsync(
            async,
            async () =>
            {
                await work();
                return true;
            },
            cancellationToken);

    public static Task<int> SaveAsync(this DbContext context, bool async, CancellationToken cancellationToken = default)
        => async ? context.SaveChangesAsync(cancellationToken) : Caught(context.SaveChanges);

    public static Task<IDbContextTransaction> BeginAsync(this DbContext context, bool async, IsolationLevel? level = null)
        => (async, level) switch
        {
            (true, null) => context.Database.BeginTransactionAsync(),
            (true, { } given) => context.Database.BeginTransactionAsync(given),
            (false, null) => Caught(context.Database.BeginTransaction),
            (false, { } given) => Caught(() => context.Database.BeginTransaction(given)),
        };

    public static Task CommitAsync(this IDbContextTransaction transaction, bool async)
        => async
            ? transaction.CommitAsync()
            : Caught(() =>
            {
                transaction.Commit();
                return true;
            });

    public static async Task EndAsync(this IDbContextTransaction transaction, bool async)
    {
        if (async)
        {
            await transaction.DisposeAsync();
        }
        else
        {
            transaction.Dispose();
        }
    }

    public static Task<long> CountAsync<T>(this IQueryable<T> query, bool async)
        => async ? query.LongCountAsync() : Caught(query.LongCount);

    public static Task<List<T>> ListAsync<T>(this IQueryable<T> query, bool async, CancellationToken cancellationToken = default)
        => async ? query.ToListAsync(cancellationToken) : Caught(query.ToList);

    public static Task<int> UpdateAsync<T>(this IQueryable<T> query, bool async, Action<UpdateSettersBuilder<T>> setters)
        => async ? query.ExecuteUpdateAsync(setters) : Caught(() => query.ExecuteUpdate(setters));

    /// <summary>n = n + 1: done twice it shows.</summary>
    public static Task<int> IncrementAsync(this CounterContext context, bool async)
        => context.Counters.UpdateAsync(async, setters => setters.SetProperty(counter => counter.N, counter => counter.N + 1));

    public static Task<int> SqlAsync(this DbContext context, bool async, string sql)
        => async ? context.Database.ExecuteSqlRawAsync(sql) : Caught(() => context.Database.ExecuteSqlRaw(sql));

    /// <summary>A synchronous result or exception as a task.</summary>
    public static Task<T> Caught<T>(Func<T> work)
    {
        try
        {
            return Task.FromResult(work());
        }
        catch (Exception exception)
        {
            return Task.FromException<T>(exception);
        }
    }
}
