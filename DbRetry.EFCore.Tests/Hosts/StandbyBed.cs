using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>Three nodes that one class of tests has for itself, with a counter, items, and a role without privileges.</summary>
internal sealed class StandbyBed : IAsyncDisposable
{
    private readonly string _database;

    private StandbyBed(LocalCluster cluster, string database)
    {
        Cluster = cluster;
        _database = database;
    }

    public LocalCluster Cluster { get; }

    /// <returns><see langword="null"/> where servers are not ours to control: each test says so.</returns>
    public static async Task<StandbyBed?> StartAsync(CancellationToken cancellationToken)
    {
        if (SharedCluster.ExternalServer is not null)
        {
            return null;
        }

        var cluster = await SharedCluster.OwnAsync(new LocalClusterOptions { Nodes = 3 }, cancellationToken);
        var bed = new StandbyBed(cluster, await cluster.CreateDatabaseAsync(cancellationToken: cancellationToken));
        await using var admin = await bed.AdminAsync(0, cancellationToken);
        await admin.ExecuteAsync($"{CounterContext.Schema} create role plain login; grant all on all tables in schema public to plain", cancellationToken);
        await cluster.WaitForReplayAsync(cancellationToken);
        return bed;
    }

    public Task<NpgsqlConnection> AdminAsync(int node, CancellationToken cancellationToken) => Cluster.AdminConnectionAsync(node, _database, cancellationToken);

    public CounterContext Context(Action<DbRetryOptions> configure, string role = "postgres")
        => HostBed.Context($"{Cluster.ConnectionString(_database)};Username={role}", configure);

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();
}
