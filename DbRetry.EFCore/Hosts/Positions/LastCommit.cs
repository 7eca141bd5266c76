using DbRetry.EFCore.Hosts.Targets;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Hosts.Positions;

/// <summary>The position of what one context committed last, for whoever asks for it.</summary>
internal sealed class LastCommit(
    ContextSettings context,
    AttemptLog log,
    SessionTargets targets,
    HostConnectionInterceptor hosts,
    PositionReader positions,
    IRelationalConnection connection,
    IExecutionStrategyFactory strategies)
{
    /// <exception cref="InvalidOperationException">It is not committed yet, or nobody can tell.</exception>
    internal CommitPosition? Position()
        => Ask() is { } route
            ? Strategy.Repeat(requiresPrimary: true, () => Noted(positions.Read(Like, route, context.Settings!, log)))
            : targets.Written;

    /// <inheritdoc cref="Position"/>
    internal async Task<CommitPosition?> PositionAsync(CancellationToken cancellationToken)
        => Ask() is { } route
            ? await Strategy.RepeatAsync(
                requiresPrimary: true,
                async token => Noted(await positions.ReadAsync(Like, route, context.Settings!, log, token).ConfigureAwait(false)),
                cancellationToken).ConfigureAwait(false)
            : targets.Written;

    private NpgsqlConnection Like => (NpgsqlConnection)connection.DbConnection;

    private DbRetryExecutionStrategy Strategy => (DbRetryExecutionStrategy)strategies.Create();

    private HostRoute? Ask()
        => !log.HasWritten ? null
            : connection.CurrentTransaction is not null
                ? throw new InvalidOperationException("The transaction that is open is not committed yet. Ask for the position after its commit.")
            : hosts.Route(connection.DbConnection)
                ?? throw new InvalidOperationException(
                    "The context uses a connection that the application passed in, so DbRetry cannot ask the primary over another one.");

    private CommitPosition? Noted(CommitPosition? position)
    {
        targets.Wrote(position ?? throw new InvalidOperationException("The server does not tell how far its write-ahead log is (PostgreSQL 10 and later do)."));
        return position;
    }
}
