using System.Data.Common;
using DbRetry.EFCore.Retry;
using Npgsql;

namespace DbRetry.EFCore.Hosts.Positions;

/// <summary>Asks a primary for the position that it has reached, and any host how far its history goes. Every role may ask (PostgreSQL 10 and later).</summary>
internal static class PositionQueries
{
    private const string PositionSql = $"""
        SELECT {ServerTimeline.SystemIdentifierSql}, {ServerTimeline.TimelineSql},
        pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::pg_catalog.int8,
        pg_catalog.current_setting('wal_block_size')::pg_catalog.int4
        WHERE NOT pg_catalog.pg_is_in_recovery()
        """;

    // No function tells which timeline a standby replays. Each of these is one that it has certainly come to: that of the latest checkpoint which it has
    // replayed and made its own, that of the latest page which it had to write, and that which it receives, which only pg_monitor may see. A standby that
    // lies beyond the fork of a new timeline never receives that (Hosts/Targets/PromotedStandbyTests).
    private const string ReplaySql = $"""
        SELECT {ServerTimeline.SystemIdentifierSql}, NOT pg_catalog.pg_is_in_recovery(),
        CASE WHEN pg_catalog.pg_is_in_recovery() THEN GREATEST(
        (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()),
        (SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery()),
        (SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver))
        ELSE {ServerTimeline.TimelineSql} END,
        pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0')::pg_catalog.int8
        """;

    /// <summary>A position behind everything that is committed now: one round trip; <see langword="null"/> if the server is a standby or does not tell.</summary>
    internal static CommitPosition? Read(NpgsqlConnection connection, TimeSpan limit) => Ask(new(PositionSql, connection), limit, Position);

    /// <inheritdoc cref="Read"/>
    internal static Task<CommitPosition?> ReadAsync(NpgsqlConnection connection, TimeSpan limit, CancellationToken cancellationToken)
        => AskAsync(new(PositionSql, connection), limit, Position, cancellationToken);

    /// <summary>How far a host's history goes: one round trip; <see langword="null"/> if it does not tell.</summary>
    internal static ReplayState? Replayed(NpgsqlConnection connection, TimeSpan limit) => Ask(new(ReplaySql, connection), limit, State);

    /// <inheritdoc cref="Replayed"/>
    internal static Task<ReplayState?> ReplayedAsync(NpgsqlConnection connection, TimeSpan limit, CancellationToken cancellationToken)
        => AskAsync(new(ReplaySql, connection), limit, State, cancellationToken);

    /// <summary>The end of the last record, given where the next one will begin.</summary>
    /// <remarks>
    /// Where the last record fills its page, the next one begins behind the header of the next page, and a standby that has replayed everything would be
    /// taken for late until somebody writes (Hosts/Positions/ReadYourWritesTests). No record ends within a header, which is 24 bytes long, 40 in a segment's first.
    /// </remarks>
    internal static long RecordEnd(long insertLsn, int blockSize)
        => insertLsn % blockSize is 24 or 40 ? insertLsn - (insertLsn % blockSize) : insertLsn;

    private static T? Ask<T>(NpgsqlCommand question, TimeSpan limit, Func<DbDataReader, T> read)
        where T : struct
    {
        using var command = question;
        command.CommandTimeout = Seconds(limit);
        try
        {
            using var reader = command.ExecuteReader();
            return reader.Read() ? read(reader) : null;
        }
        catch (PostgresException) when (!command.Connection!.IsGone())
        {
            return null;
        }
    }

    private static async Task<T?> AskAsync<T>(NpgsqlCommand command, TimeSpan limit, Func<DbDataReader, T> read, CancellationToken cancellationToken)
        where T : struct
    {
        await using (command.ConfigureAwait(false))
        {
            command.CommandTimeout = Seconds(limit);
            try
            {
                var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? read(reader) : null;
                }
            }
            catch (PostgresException) when (!command.Connection!.IsGone())
            {
                return null;
            }
        }
    }

    private static int Seconds(TimeSpan limit) => (int)Math.Ceiling(limit.TotalSeconds);

    private static CommitPosition Position(DbDataReader row) => new(row.GetInt64(0), row.GetInt32(1), RecordEnd(row.GetInt64(2), row.GetInt32(3)));

    private static ReplayState State(DbDataReader row)
        => new(row.GetInt64(0), row.GetBoolean(1), row.IsDBNull(2) ? null : row.GetInt32(2), row.IsDBNull(3) ? null : row.GetInt64(3));
}
