using DbRetry.EFCore;
using DbRetry.EFCore.Hosts.Status;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.EntityFrameworkCore;

/// <summary>What DbRetry can do with the database of a context.</summary>
public static class DbRetryDatabaseFacadeExtensions
{
    /// <summary>
    /// Changes how the context retries, until the result is disposed: <c>using (context.Database.WithRetry(o => o.MaxRetryCount = 10)) { … }</c>.
    /// It holds for whatever the context runs meanwhile: queries, saves and units.
    /// </summary>
    /// <remarks>
    /// The options start from what holds already, so calls can be nested. <see cref="DbRetryOptions.TargetSession"/>,
    /// <see cref="DbRetryOptions.HostTimeout"/>, <see cref="DbRetryOptions.WitnessTable"/> and <see cref="DbRetryOptions.Buffering"/> hold for a
    /// context as a whole. A unit that is running already is judged by what holds when it fails.
    /// </remarks>
    /// <param name="database">The database of the context.</param>
    /// <param name="configure">Changes the options.</param>
    /// <returns>What ends the change when it is disposed.</returns>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">
    /// The context was configured without DbRetry, or an option was changed that holds for a context as a whole.
    /// </exception>
    public static IDisposable WithRetry(this DatabaseFacade database, Action<DbRetryOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(database);
        ArgumentNullException.ThrowIfNull(configure);
        return ContextSettings.Of(database).Override(configure);
    }

    /// <summary>
    /// Asks every host of the cluster at once, over connections of its own, what it is. It waits for nobody longer than the time limit, whatever
    /// <see cref="DbRetryOptions.FailoverTimeout"/> is.
    /// </summary>
    /// <param name="database">The database of the context.</param>
    /// <param name="timeout">How long a host may take to answer; <see cref="DbRetryOptions.HostTimeout"/> by default.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What each host is, and whether one of them can serve the context.</returns>
    /// <exception cref="InvalidOperationException">The context was configured without DbRetry.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The time limit is not positive.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public static Task<ClusterStatus> GetClusterStatusAsync(
        this DatabaseFacade database, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(database);
        var settings = ContextSettings.Of(database).Settings!;
        var limit = timeout ?? settings.HostTimeout;
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(limit, TimeSpan.Zero, nameof(timeout));
        return ClusterSurvey.Of(database, settings, limit).TakeAsync(cancellationToken);
    }
}
