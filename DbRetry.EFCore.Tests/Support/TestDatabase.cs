using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.EFCore.Tests.Support;

/// <summary>An empty database that one test has for itself.</summary>
internal sealed class TestDatabase : IAsyncDisposable
{
    private readonly string _maintenance;

    private TestDatabase(string maintenance, string name, string connectionString)
    {
        _maintenance = new NpgsqlConnectionStringBuilder(maintenance) { Pooling = false }.ConnectionString;
        Name = name;
        ConnectionString = connectionString;
    }

    public string Name { get; }

    /// <summary>For the one server, or for all nodes of the cluster.</summary>
    public string ConnectionString { get; }

    /// <summary>On <see cref="SharedCluster.ServerAsync"/>.</summary>
    public static async Task<TestDatabase> CreateAsync(CancellationToken cancellationToken = default)
    {
        var server = await SharedCluster.ServerAsync();
        var name = NewName();
        var database = new TestDatabase(
            server, name, new NpgsqlConnectionStringBuilder(server) { Database = name }.ConnectionString);
        await database.ExecuteMaintenanceAsync($"create database \"{name}\" template template0", cancellationToken);
        return database;
    }

    /// <summary>On a local cluster, visible on all running nodes.</summary>
    public static async Task<TestDatabase> CreateAsync(LocalCluster cluster, CancellationToken cancellationToken = default)
    {
        var name = await cluster.CreateDatabaseAsync(NewName(), cancellationToken);
        return new TestDatabase(cluster.NodeConnectionString(cluster.PrimaryIndex), name, cluster.ConnectionString(name));
    }

    public async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken = default)
    {
        var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync(cancellationToken);
        return connection;
    }

    public async Task ExecuteAsync(string sql, CancellationToken cancellationToken = default)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task<T?> ScalarAsync<T>(string sql, CancellationToken cancellationToken = default)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        return (T?)await command.ExecuteScalarAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await using (var connection = new NpgsqlConnection(ConnectionString))
        {
            NpgsqlConnection.ClearPool(connection);
        }
        try
        {
            await ExecuteMaintenanceAsync($"drop database if exists \"{Name}\" with (force)", CancellationToken.None);
        }
        catch (NpgsqlException)
        {
            // The test broke its server; the database goes with it.
        }
    }

    private static string NewName() => $"dbretry_{Guid.NewGuid():N}";

    private async Task ExecuteMaintenanceAsync(string sql, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(_maintenance);
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
