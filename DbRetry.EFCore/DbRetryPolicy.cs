using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore;

/// <summary>The same retries for code without a <c>DbContext</c>: raw Npgsql, Dapper, or anything else that talks to PostgreSQL.</summary>
/// <remarks>
/// <para>
/// The delegate must open its own connection, so that each attempt gets a new one, and is run again as a whole. Conflicts (SQLSTATE 40001, 40P01)
/// and connections that could not be made are always retried: nothing was applied. A connection that was lost midway may have committed, and
/// nothing here can tell: such work is run again only if it is declared idempotent; otherwise the caller gets a
/// <see cref="CommitOutcomeUnknownException"/>. A connection that was cut while it was set up looks the same.
/// </para>
/// <para>Runs that reached a server are counted; those that found none are bounded by <see cref="DbRetryOptions.FailoverTimeout"/> alone.</para>
/// <para>Hosts are not chosen here: give Npgsql a connection string with all of them (<see cref="PostgresDsn"/>).</para>
/// </remarks>
public static class DbRetryPolicy
{
    /// <summary>Runs work, and runs it again while that is safe and useful.</summary>
    /// <typeparam name="TResult">What the work returns.</typeparam>
    /// <param name="work">Opens a connection, uses and closes it.</param>
    /// <param name="maxRetryCount">How often it may be run again, 0 for never; by default what <paramref name="options"/> say.</param>
    /// <param name="idempotent">Whether running it again does no harm even if an earlier run was applied: true for reads.</param>
    /// <param name="options">Delays, timeouts and what is retriable; by default the defaults.</param>
    /// <returns>What the first run that did not fail returned.</returns>
    /// <exception cref="Microsoft.EntityFrameworkCore.Storage.RetryLimitExceededException">It still failed when its budget was used up.</exception>
    /// <exception cref="CommitOutcomeUnknownException">A connection was lost, and it is not known whether the work was applied.</exception>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static TResult Execute<TResult>(Func<TResult> work, int? maxRetryCount = null, bool idempotent = false, DbRetryOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(work);
        var run = new PolicyRun(maxRetryCount, idempotent, options);
        while (true)
        {
            run.Begin();
            try
            {
                var result = work();
                run.Succeeded();
                return result;
            }
            catch (Exception exception)
            {
                if (!run.RetriesAfter(exception))
                {
                    throw;
                }
            }

            run.Wait();
        }
    }

    /// <inheritdoc cref="Execute{TResult}"/>
    public static void Execute(Action work, int? maxRetryCount = null, bool idempotent = false, DbRetryOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(work);
        Execute(
            () =>
            {
                work();
                return true;
            },
            maxRetryCount,
            idempotent,
            options);
    }

    /// <summary>Runs asynchronous work, and runs it again while that is safe and useful.</summary>
    /// <typeparam name="TResult">What the work returns.</typeparam>
    /// <param name="work">Opens a connection, uses and closes it.</param>
    /// <param name="maxRetryCount">How often it may be run again, 0 for never; by default what <paramref name="options"/> say.</param>
    /// <param name="idempotent">Whether running it again does no harm even if an earlier run was applied: true for reads.</param>
    /// <param name="options">Delays, timeouts and what is retriable; by default the defaults.</param>
    /// <param name="cancellationToken">Ends the work and the waiting.</param>
    /// <returns>What the first run that did not fail returned.</returns>
    /// <exception cref="Microsoft.EntityFrameworkCore.Storage.RetryLimitExceededException">It still failed when its budget was used up.</exception>
    /// <exception cref="CommitOutcomeUnknownException">A connection was lost, and it is not known whether the work was applied.</exception>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public static async Task<TResult> ExecuteAsync<TResult>(
        Func<CancellationToken, Task<TResult>> work,
        int? maxRetryCount = null,
        bool idempotent = false,
        DbRetryOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        var run = new PolicyRun(maxRetryCount, idempotent, options);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            run.Begin();
            try
            {
                var result = await work(cancellationToken).ConfigureAwait(true);
                run.Succeeded();
                return result;
            }
            catch (Exception exception)
            {
                if (!run.RetriesAfter(exception))
                {
                    throw;
                }
            }

            await run.WaitAsync(cancellationToken).ConfigureAwait(true);
        }
    }

    /// <inheritdoc cref="ExecuteAsync{TResult}"/>
    public static Task ExecuteAsync(
        Func<CancellationToken, Task> work,
        int? maxRetryCount = null,
        bool idempotent = false,
        DbRetryOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return ExecuteAsync(
            async token =>
            {
                await work(token).ConfigureAwait(true);
                return true;
            },
            maxRetryCount,
            idempotent,
            options,
            cancellationToken);
    }
}
