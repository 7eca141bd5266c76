using System.Data;
using System.Diagnostics;
using Npgsql;

namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>Finds out when a server takes writes, by writing, on a connection of its own and without anybody's retries.</summary>
internal static class WriteWatch
{
    // The moments that are found may be late by that much and a round trip.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(2);

    /// <param name="connection">To the server; disposed in the end. May be closed, and is opened anew whenever it breaks.</param>
    /// <param name="cancellationToken">Ends the watch.</param>
    /// <returns>When the server had become the primary, and when it acknowledged a write, for which it may have to wait for a standby.</returns>
    public static async Task<(long PromotedAt, long WritableAt)> RunAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using (connection)
        {
            long? promotedAt = null;
            while (true)
            {
                try
                {
                    if (connection.State == ConnectionState.Closed)
                    {
                        await connection.OpenAsync(cancellationToken);
                    }
                    promotedAt ??= await WriteAsync(connection, "local", cancellationToken);
                    return (promotedAt.Value, await WriteAsync(connection, "on", cancellationToken));
                }
                catch (PostgresException readOnly) when (readOnly.SqlState == PostgresErrorCodes.ReadOnlySqlTransaction)
                {
                    // Still a standby.
                }
                catch (NpgsqlException)
                {
                    await connection.CloseAsync();
                }
                await Task.Delay(Interval, cancellationToken);
            }
        }
    }

    private static async Task<long> WriteAsync(NpgsqlConnection connection, string synchronousCommit, CancellationToken cancellationToken)
    {
        await connection.ExecuteAsync($"set synchronous_commit = {synchronousCommit}", cancellationToken);
        await connection.ExecuteAsync("insert into watch default values", cancellationToken);
        return Stopwatch.GetTimestamp();
    }
}
