using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.EFCore.Tests.Support;

/// <summary>An empty database that one test has for itself.</summary>
internal sealed class TestDatabase : IAsyncDisposable
{
    private readonly Func<string> _server;

    private TestDatabase(Func<string> server, string name, string connectionString)
    {
        _server = server;
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
        var database = new TestDatabase(() => server, name, In(server, name));
        await using var maintenance = await database.OpenMaintenanceAsync(cancellationToken);
        await maintenance.ExecuteAsync(NewDatabase.Sql(name, maintenance.PostgreSqlVersion), cancellationToken);
        return database;
    }

    /// <summary>On a local cluster, visible on all running nodes.</summary>
    public static async Task<TestDatabase> CreateAsync(LocalCluster cluster, CancellationToken cancellationToken = default)
    {
        var name = await cluster.CreateDatabaseAsync(NewName(), cancellationToken);
        return new TestDatabase(() => cluster.NodeConnectionString(cluster.PrimaryIndex), name, cluster.ConnectionString(name));
    }

    /// <summary>Of the one server, or of the node that is the primary now.</summary>
    public async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken = default)
    {
        var connection = new NpgsqlConnection(In(_server(), Name));
        await connection.OpenAsync(cancellationToken);
        return connection;
    }

    public async Task ExecuteAsync(string sql, CancellationToken cancellationToken = default)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await connection.ExecuteAsync(sql, cancellationToken);
    }

    public async Task<T?> ScalarAsync<T>(string sql, CancellationToken cancellationToken = default)
    {
        await using var connection = await OpenAsync(cancellationToken);
        return (T?)await connection.ScalarAsync(sql, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var pooled in new[] { ConnectionString, In(_server(), Name) })
        {
            await using var connection = new NpgsqlConnection(pooled);
            NpgsqlConnection.ClearPool(connection);
        }
        try
        {
            await using var maintenance = await OpenMaintenanceAsync(CancellationToken.None);
            await maintenance.ExecuteAsync($"drop database if exists \"{Name}\" with (force)");
        }
        catch (NpgsqlException)
        {
            // The test broke its server; the database goes with it.
        }
    }

    private static string NewName() => $"dbretry_{Guid.NewGuid():N}";

    private static string In(string server, string database) =>
        new NpgsqlConnectionStringBuilder(server) { Database = database }.ConnectionString;

    private async Task<NpgsqlConnection> OpenMaintenanceAsync(CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(_server() + ";Pooling=false");
        await connection.OpenAsync(cancellationToken);
        return connection;
    }
}
