using Npgsql;

namespace DbRetry.EFCore.Retry.Fencing;

/// <summary>Ends a backend, and never a stranger's that has its number by now.</summary>
internal static class FenceQuery
{
    // The backend was there before the client used it, and its transaction began afterwards: whoever has the number now started later. The number that a
    // pooler tells is not a backend's at all; a stranger that has it would have to be of the same user and database, and have begun a transaction
    // at the same time. Times are those of the server's own clock. One that waits for a synchronous standby has committed, and ending its wait would
    // acknowledge what a failover may still lose. Columns that the role may not see are NULL, and nothing is ended.
    private const string Condition = """
        FROM pg_catalog.pg_stat_activity
        WHERE pid = $1 AND pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend'
        AND usename = SESSION_USER AND datname = pg_catalog.current_database()
        AND backend_start <= pg_catalog.clock_timestamp() - $2 AND xact_start >= pg_catalog.clock_timestamp() - $2 - interval '5 s'
        AND wait_event IS DISTINCT FROM 'SyncRep'
        """;

    private const string EndSql = $"SELECT pg_catalog.pg_terminate_backend(pid) {Condition}";

    // The locks are gone with the backend, and NOWAIT does not wait for that.
    private const string EndAndWaitSql = $"SELECT pg_catalog.pg_terminate_backend(pid, 500) {Condition}";

    /// <param name="connection">To the same server, database and role.</param>
    /// <param name="processId">The backend.</param>
    /// <param name="inUseFor">How long ago the client was certain that the backend is its own and in no transaction.</param>
    internal static NpgsqlCommand End(NpgsqlConnection connection, int processId, TimeSpan inUseFor)
    {
        var command = CanWait(connection) ? new NpgsqlCommand(EndAndWaitSql, connection) : new NpgsqlCommand(EndSql, connection);
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = processId });
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = inUseFor });
        return command;
    }

    private static bool CanWait(NpgsqlConnection connection) => connection.PostgreSqlVersion.Major >= 14;
}
