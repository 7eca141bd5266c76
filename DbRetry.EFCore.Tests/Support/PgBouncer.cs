using Npgsql;

namespace DbRetry.EFCore.Tests.Support;

/// <summary>A PgBouncer of its own on a loopback port, with transaction pooling, in front of one server.</summary>
internal static class PgBouncer
{
    public const string Program = "pgbouncer";

    /// <summary>Starts one that takes every database from the server on a loopback port. The test is inconclusive where there is no PgBouncer.</summary>
    public static Task<LocalProgram> StartAsync(int serverPort, CancellationToken cancellationToken)
        => LocalProgram.StartAsync(
            Program,
            "-q",
            port => $"""
                [databases]
                * = host=127.0.0.1 port={serverPort} user=postgres
                [pgbouncer]
                listen_addr = 127.0.0.1
                listen_port = {port}
                unix_socket_dir =
                auth_type = any
                pool_mode = transaction
                server_login_retry = 1
                server_check_delay = 0
                query_wait_timeout = 20
                ignore_startup_parameters = extra_float_digits
                """,
            cancellationToken);

    /// <summary>What Npgsql's documentation advises for a pooler: no pool of its own that resets sessions that are not its own.</summary>
    public static string Through(LocalProgram pooler, string connectionString)
        => new NpgsqlConnectionStringBuilder(connectionString) { Host = "127.0.0.1", Port = pooler.Port, Pooling = false, NoResetOnClose = true }.ConnectionString;
}
