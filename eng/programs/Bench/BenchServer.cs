using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.Bench;

/// <summary>A server on loopback that flushes every commit to the disk, as in production.</summary>
internal sealed class BenchServer : IAsyncDisposable
{
    private readonly LocalCluster _cluster;

    private BenchServer(LocalCluster cluster, string connectionString)
    {
        _cluster = cluster;
        ConnectionString = connectionString;
    }

    public string ConnectionString { get; }

    public int Port => _cluster.Port(0);

    public string Version => _cluster.Binaries.Version;

    /// <summary>It listens on several addresses, so that one server can pass for several hosts.</summary>
    /// <param name="schema">What to fill the database with.</param>
    /// <param name="addresses">How many of 127.0.0.1, 127.0.0.2 …</param>
    public static async Task<BenchServer> StartAsync(string schema, int addresses = 1)
    {
        var cluster = await LocalCluster.StartAsync(new()
        {
            Settings = new Dictionary<string, string>
            {
                ["fsync"] = "on",
                ["synchronous_commit"] = "on",
                ["autovacuum"] = "off", // It would come when it likes.
                ["shared_buffers"] = "128MB",
                ["listen_addresses"] = string.Join(',', Addresses(addresses)),
            },
            AccessRules = ["host all all 127.0.0.0/8 trust"],
        });
        try
        {
            var connectionString = cluster.NodeConnectionString(0, await cluster.CreateDatabaseAsync("bench"));
            var server = new BenchServer(cluster, connectionString);
            await server.ExecuteAsync(schema);
            return server;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public static IEnumerable<string> Addresses(int count) => Enumerable.Range(1, count).Select(static i => $"127.0.0.{i}");

    public async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 120 };
        await command.ExecuteNonQueryAsync();
    }

    public Task StopAsync() => _cluster.StopAsync(0, StopMode.Immediate);

    /// <summary>Returns when it takes connections.</summary>
    public Task StartAsync() => _cluster.StartNodeAsync(0);

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();
}
