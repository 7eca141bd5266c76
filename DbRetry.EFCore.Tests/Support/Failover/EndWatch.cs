using System.Diagnostics;
using Npgsql;

namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>Finds out when a server ends its sessions, on an idle one.</summary>
internal static class EndWatch
{
    /// <param name="connection">To the server; disposed in the end.</param>
    /// <param name="cancellationToken">Ends the watch.</param>
    public static async Task<long> RunAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using (connection)
        {
            try
            {
                while (true)
                {
                    await connection.WaitAsync(cancellationToken);
                }
            }
            catch (NpgsqlException)
            {
                return Stopwatch.GetTimestamp();
            }
        }
    }
}
