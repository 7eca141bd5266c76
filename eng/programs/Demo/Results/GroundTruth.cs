using DbRetry.Demo.Shop;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.Demo.Results;

/// <summary>What the primary really has in the end, asked without EF Core and without anybody's retries.</summary>
/// <param name="Rows">How often each request was applied.</param>
/// <param name="Balance">The sum over all accounts, which transfers must not change.</param>
internal sealed record GroundTruth(IReadOnlyDictionary<Guid, long> Rows, long Balance)
{
    private static readonly TimeSpan QuietLimit = TimeSpan.FromSeconds(10);

    public static async Task<GroundTruth> ReadAsync(LocalCluster cluster, string database, CancellationToken cancellationToken)
    {
        await using var connection = await cluster.AdminConnectionAsync(cluster.PrimaryIndex, database, cancellationToken);
        await Poll.UntilAsync(
            async () => await IsQuietAsync(connection, cancellationToken),
            QuietLimit,
            () => "sessions of the callers are still at work on the primary",
            cancellationToken);

        var rows = new Dictionary<Guid, long>();
        await using (var command = new NpgsqlCommand(
            """
            select "RequestId", count(*) from
                (select "RequestId" from "Orders" union all select "RequestId" from "Transfers") requests
            group by "RequestId"
            """,
            connection))
        {
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                rows.Add(reader.GetGuid(0), reader.GetInt64(1));
            }
        }
        await using var sum = new NpgsqlCommand("""select sum("Balance")::bigint from "Accounts" """, connection);
        return new(rows, (long)(await sum.ExecuteScalarAsync(cancellationToken))!);
    }

    // A request that was cut off may still be committing.
    private static async Task<bool> IsQuietAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "select not exists (select from pg_stat_activity where application_name = $1 and state <> 'idle')", connection)
        {
            Parameters = { new NpgsqlParameter<string> { TypedValue = ShopOptions.ApplicationName } },
        };
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
