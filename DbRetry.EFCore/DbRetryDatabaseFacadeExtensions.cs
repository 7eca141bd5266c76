using DbRetry.EFCore;
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
    /// <see cref="DbRetryOptions.HostTimeout"/>, <see cref="DbRetryOptions.WitnessTable"/> and <see cref="DbRetryOptions.BufferResults"/> hold for a
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
}
