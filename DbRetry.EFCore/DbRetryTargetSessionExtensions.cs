using DbRetry.EFCore;
using DbRetry.EFCore.Hosts.Positions;
using DbRetry.EFCore.Hosts.Targets;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Reading from standbys: for a stretch of work, for a single query, and after what was written.</summary>
public static class DbRetryTargetSessionExtensions
{
    /// <summary>
    /// Lets this context be served by other hosts than its options say, until the result is disposed. Scopes may be nested; the inner one counts.
    /// </summary>
    /// <remarks>
    /// <para>It holds for connections that are opened from now on. One that is open is not moved, neither now nor when the scope ends.</para>
    /// <para>
    /// Writes under <see cref="TargetSession.PreferStandby"/> and <see cref="TargetSession.Any"/> go to the primary. <c>SaveChanges</c>,
    /// <c>ExecuteUpdate</c>, <c>ExecuteDelete</c> and <c>ExecuteSql</c> are known beforehand; a unit in whose transaction a standby refused a write runs
    /// again on the primary. A transaction that you began yourself outside of a unit cannot move. Under <see cref="TargetSession.Standby"/> a write is an
    /// <see cref="InvalidOperationException"/>.
    /// </para>
    /// </remarks>
    /// <param name="database">The database of the context.</param>
    /// <param name="target">Which hosts may serve it.</param>
    /// <param name="readAfter">
    /// A position that the host must show, as <see cref="GetLastCommitPosition"/> told it, here or in another process. A standby that lags behind it is passed
    /// over. Under <see cref="TargetSession.PreferStandby"/> the primary serves if all lag; under <see cref="TargetSession.Standby"/> and
    /// <see cref="TargetSession.ReadOnly"/> they are waited for within <see cref="DbRetryOptions.FailoverTimeout"/>. One more round trip whenever a
    /// connection is opened. <see langword="null"/> if it does not matter.
    /// </param>
    /// <returns>The scope, to be disposed.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="target"/> is no target session.</exception>
    /// <exception cref="InvalidOperationException">
    /// The context was configured without DbRetry, or with a connection of the application's; or its connection is open, perhaps in a transaction, and leads to
    /// a host that does not fit.
    /// </exception>
    public static IDisposable UseTargetSession(this DatabaseFacade database, TargetSession target, CommitPosition? readAfter = null)
    {
        ArgumentNullException.ThrowIfNull(database);
        ThrowIfUndefined(target);
        var services = Services(database);
        return services.GetRequiredService<SessionTargets>().Enter(services.GetRequiredService<IRelationalConnection>(), target, readAfter);
    }

    /// <summary>
    /// Lets one query be served by other hosts than its context, for instance <c>context.Orders.WithTargetSession(TargetSession.PreferStandby)</c>. It wins
    /// over <see cref="UseTargetSession"/>; applied twice, the last one counts.
    /// </summary>
    /// <remarks>
    /// It is a tag of the query, as <c>TagWith</c> makes them, and stands in its text as a comment. Without DbRetry it is only that. In a connection that is
    /// open already the query cannot move: if its host does not fit, running the query is an <see cref="InvalidOperationException"/>.
    /// </remarks>
    /// <typeparam name="TSource">The type of the results.</typeparam>
    /// <param name="source">The query.</param>
    /// <param name="target">Which hosts may serve it.</param>
    /// <returns>The query with its target session.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="target"/> is no target session.</exception>
    public static IQueryable<TSource> WithTargetSession<TSource>(this IQueryable<TSource> source, TargetSession target)
    {
        ArgumentNullException.ThrowIfNull(source);
        ThrowIfUndefined(target);
        return source.TagWith(QueryTarget.Tag(target));
    }

    /// <summary>A position behind everything that this context has committed, for reads after it, here or in another process.</summary>
    /// <remarks>
    /// If the context wrote since it was asked last, the current primary is asked, in one round trip over a connection of its own; otherwise nobody is. What was
    /// sent past EF does not count.
    /// </remarks>
    /// <param name="database">The database of the context.</param>
    /// <returns>The position; <see langword="null"/> if the context wrote nothing.</returns>
    /// <exception cref="InvalidOperationException">
    /// The context was configured without DbRetry, or with a connection of the application's; the transaction that wrote is still open; or the server does not
    /// tell (PostgreSQL 9.6 and older, and some that are merely compatible).
    /// </exception>
    public static CommitPosition? GetLastCommitPosition(this DatabaseFacade database)
    {
        ArgumentNullException.ThrowIfNull(database);
        return Services(database).GetRequiredService<LastCommit>().Position();
    }

    /// <inheritdoc cref="GetLastCommitPosition"/>
    /// <param name="database">The database of the context.</param>
    /// <param name="cancellationToken">Cancels the question.</param>
    public static Task<CommitPosition?> GetLastCommitPositionAsync(this DatabaseFacade database, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(database);
        return Services(database).GetRequiredService<LastCommit>().PositionAsync(cancellationToken);
    }

    private static IServiceProvider Services(DatabaseFacade database)
    {
        var services = ((IInfrastructure<IServiceProvider>)database).Instance;
        return services.GetService<ContextSettings>() is { Settings: not null }
            ? services
            : throw new InvalidOperationException(
                "Target sessions need DbRetry, which this context was configured without. Call UseDbRetry() beside UseNpgsql(…).");
    }

    private static void ThrowIfUndefined(TargetSession target)
    {
        if (!Enum.IsDefined(target))
        {
            throw new ArgumentOutOfRangeException(nameof(target), target, $"{target} is no {nameof(TargetSession)}.");
        }
    }
}
