using DbRetry.EFCore.Retry;
using Npgsql;

namespace DbRetry.EFCore.Hosts.Positions;

/// <summary>Asks the current primary for a position behind everything that is committed, over a connection of its own.</summary>
/// <remarks>
/// It is asked when the position is needed, not behind each COMMIT: writes cost nothing more, one answer covers all of them, and after a failover it is the
/// new primary's, whose timeline says which standbys have followed.
/// </remarks>
internal sealed class PositionReader(HostOpener opener)
{
    /// <returns><see langword="null"/> if the server does not tell.</returns>
    internal CommitPosition? Read(NpgsqlConnection like, HostRoute route, RetrySettings settings, AttemptLog log)
    {
        using var connection = (NpgsqlConnection)((ICloneable)like).Clone();
        opener.Open(connection, route, new(TargetSession.Primary), settings, log);
        return PositionQueries.Read(connection, settings.HostTimeout);
    }

    /// <inheritdoc cref="Read"/>
    internal async ValueTask<CommitPosition?> ReadAsync(
        NpgsqlConnection like, HostRoute route, RetrySettings settings, AttemptLog log, CancellationToken cancellationToken)
    {
        var connection = (NpgsqlConnection)((ICloneable)like).Clone();
        await using (connection.ConfigureAwait(false))
        {
            await opener.OpenAsync(connection, route, new(TargetSession.Primary), settings, log, cancellationToken).ConfigureAwait(false);
            return await PositionQueries.ReadAsync(connection, settings.HostTimeout, cancellationToken).ConfigureAwait(false);
        }
    }
}
