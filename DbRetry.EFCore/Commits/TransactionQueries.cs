using System.Data.Common;
using System.Globalization;
using DbRetry.EFCore.Hosts;
using Npgsql;
using NpgsqlTypes;

namespace DbRetry.EFCore.Commits;

/// <summary>The questions that commit verification asks. Every role may ask them (PostgreSQL 13 and later).</summary>
internal static class TransactionQueries
{
    // pg_walfile_name shows the live timeline; the one in pg_control_checkpoint() is stale after a promotion. All are reads of shared memory, except
    // that of the control file, which is one page.
    private const string IncarnationColumns = $"""
        {ServerTimeline.SystemIdentifierSql},
        {ServerTimeline.TimelineSql},
        pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0')::pg_catalog.int8,
        pg_catalog.pg_postmaster_start_time()
        """;

    /// <summary>Tells the identity from a result of the statement that it rides along with.</summary>
    private const string IdentityName = "dbretry_transaction_id";

    /// <summary>The same, where it lacks what is known of the server already.</summary>
    private const string ShortIdentityName = "dbretry_known_transaction_id";

    private const string IdentitySql = $"""
        SELECT pg_catalog.pg_current_xact_id_if_assigned() AS {IdentityName},
        pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::pg_catalog.int8,
        pg_catalog.pg_backend_pid(),
        {IncarnationColumns}
        """;

    private const string ShortIdentitySql = $"""
        SELECT pg_catalog.pg_current_xact_id_if_assigned() AS {ShortIdentityName}, pg_catalog.pg_current_wal_insert_lsn(),
        pg_catalog.pg_backend_pid(), pg_catalog.pg_postmaster_start_time()
        """;

    /// <summary>Makes deferred constraints speak now, when their answer leaves no doubt, instead of in COMMIT.</summary>
    private const string CheckConstraintsSql = "SET CONSTRAINTS ALL IMMEDIATE;\n";

    private const string IncarnationSql = $"SELECT {IncarnationColumns}";

    private const string StatisticsSinceColumn = ", pg_catalog.pg_stat_get_bgwriter_stat_reset_time()";

    // Most of these questions are errors on a standby.
    private const string OnPrimary = " WHERE NOT pg_catalog.pg_is_in_recovery()";

    private const string StatusSql = "SELECT pg_catalog.pg_xact_status($1::pg_catalog.text::pg_catalog.xid8)";

    // A backend that waits for synchronous replication has committed on its server, and ending its wait would acknowledge what a failover may
    // still lose: it is left alone. One that idles in the transaction never got the COMMIT and never must. As long as the server has not recovered,
    // a transaction id belongs to one backend, whoever has used the process id before.
    private const string FenceSql = """
        SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
        WHERE pid = $1 AND backend_xid = ($2::pg_catalog.text::pg_catalog.xid8)::pg_catalog.xid AND state LIKE 'idle in transaction%'
        """;

    internal static NpgsqlCommand ReadIdentity(NpgsqlConnection connection)
        => HasCheapStatistics(connection)
            ? new(CheckConstraintsSql + IdentitySql + StatisticsSinceColumn + OnPrimary, connection)
            : new(CheckConstraintsSql + IdentitySql + OnPrimary, connection);

    /// <summary>The same question as a text behind that of a write. Constraints are not checked there: the transaction may go on.</summary>
    /// <remarks>What a connection has told once of its server is not asked again: that is two thirds of what the question costs.</remarks>
    internal static string IdentityRider(NpgsqlConnection connection)
        => KnownServers.Of(connection) is not null ? ShortIdentitySql
            : HasCheapStatistics(connection) ? IdentitySql + StatisticsSinceColumn + OnPrimary
            : IdentitySql + OnPrimary;

    /// <summary>Whether the current result is that of the identity.</summary>
    internal static bool IsIdentity(DbDataReader reader) => reader.FieldCount > 0 && reader.GetName(0) is IdentityName or ShortIdentityName;

    /// <summary>Whether an identity came with everything that is to be known of its server.</summary>
    internal static bool IsWhole(DbDataReader identity) => identity.GetName(0) == IdentityName;

    internal static NpgsqlCommand ReadIncarnation(NpgsqlConnection connection)
        => HasCheapStatistics(connection)
            ? new(IncarnationSql + StatisticsSinceColumn + OnPrimary, connection)
            : new(IncarnationSql + OnPrimary, connection);

    /// <summary>Whether the transaction that is open forbids writes.</summary>
    internal static NpgsqlCommand ReadAccessMode(NpgsqlConnection connection)
        => new("SELECT pg_catalog.current_setting('transaction_read_only') = 'on'", connection);

    internal static NpgsqlCommand ReadStatus(NpgsqlConnection connection, ulong xid)
        => new(StatusSql, connection) { Parameters = { Text(xid) } };

    internal static NpgsqlCommand EndIdleBackend(NpgsqlConnection connection, int processId, ulong xid)
        => new(FenceSql, connection) { Parameters = { new NpgsqlParameter<int> { TypedValue = processId }, Text(xid) } };

    internal static TransactionIdentity Identity(DbDataReader row)
        => new(
            Xid(row),
            row.GetInt64(1),
            Incarnation(row, 3),
            row.GetInt32(2));

    /// <summary>From the answer to <see cref="IdentityRider"/>; <see langword="null"/> where it is another server's than the connection has told of.</summary>
    internal static TransactionIdentity? RidingIdentity(DbDataReader row, NpgsqlConnection connection)
        => IsWhole(row) ? Identity(row)
            : KnownServers.Of(connection) is { } server && row.GetInt32(2) == connection.ProcessID && row.GetDateTime(3) == server.StartedAt
                ? new(Xid(row), (long)(ulong)row.GetFieldValue<NpgsqlLogSequenceNumber>(1), server, row.GetInt32(2))
                : null;

    internal static ServerIncarnation Incarnation(DbDataReader row, int first = 0)
        => new(
            row.GetInt64(first),
            row.GetInt32(first + 1),
            row.IsDBNull(first + 2) ? null : row.GetInt64(first + 2),
            row.GetDateTime(first + 3),
            row.FieldCount == first + 4 || row.IsDBNull(first + 4) ? null : row.GetDateTime(first + 4));

    internal static XidStatus Status(object? answer)
        => answer switch
        {
            "committed" => XidStatus.Committed,
            "aborted" => XidStatus.Aborted,
            "in progress" => XidStatus.InProgress,
            _ => XidStatus.Forgotten,
        };

    /// <summary>Whether a server can be asked for the status of a transaction.</summary>
    internal static bool KnowsStatus(NpgsqlConnection connection)
        => connection.PostgreSqlVersion.Major >= 13 && !connection.PostgresParameters.ContainsKey("crdb_version");

    private static ulong? Xid(DbDataReader row) => row.IsDBNull(0) ? null : row.GetFieldValue<ulong>(0);

    // Before version 15 a process of its own kept them and wrote them to a file for whoever asked.
    private static bool HasCheapStatistics(NpgsqlConnection connection) => connection.PostgreSqlVersion.Major >= 15;

    private static NpgsqlParameter<string> Text(ulong xid)
        => new() { TypedValue = xid.ToString(CultureInfo.InvariantCulture), NpgsqlDbType = NpgsqlDbType.Text };
}
