using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Failover;
using Npgsql;

namespace DbRetry.Failover.Patroni;

/// <summary>A cluster where Patroni is the failover manager, for one scenario.</summary>
internal sealed class PatroniBed : IFailoverBed
{
    private const string Database = "proof";

    private static readonly TimeSpan ReplicationLimit = TimeSpan.FromSeconds(30);

    private readonly PatroniScenario _scenario;

    private PatroniBed(PatroniScenario scenario, PatroniCluster cluster)
    {
        _scenario = scenario;
        Cluster = cluster;
        ConnectionString = $"Host={string.Join(',', cluster.Nodes.Select(node => $"127.0.0.1:{node.Port}"))};Username=postgres;Database={Database}";
    }

    public PatroniCluster Cluster { get; }

    public string ConnectionString { get; }

    public static async Task<PatroniBed> StartAsync(PatroniScenario scenario, CancellationToken cancellationToken)
    {
        var cluster = await PatroniCluster.StartAsync(cancellationToken);
        try
        {
            var leader = await cluster.LeaderAsync(cancellationToken);
            await using (var maintenance = await leader.OpenAsync("postgres", cancellationToken))
            {
                await maintenance.ExecuteAsync($"create database {Database}", cancellationToken);
            }
            await using (var connection = await leader.OpenAsync(Database, cancellationToken))
            {
                await connection.ExecuteAsync(ProofContext.Schema, cancellationToken);
            }
            await cluster.MendAsync(scenario.Synchronous, cancellationToken);
            await Task.WhenAll(cluster.Nodes.Select(node => Poll.UntilAsync(
                () => HasSchemaAsync(node, cancellationToken), ReplicationLimit, () => $"{node.Name} does not have the tables", cancellationToken)));
            return new(scenario, cluster);
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public IAsyncEnumerable<Outage> PlayAsync(CancellationToken cancellationToken) => _scenario.Story(this, cancellationToken);

    /// <summary>Waits until another node takes writes.</summary>
    public async Task<Outage> UntilAnotherIsPrimaryAsync(PatroniNode old, long faultAt, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<Outage>[] watches = [.. Cluster.Nodes.Where(node => node != old).Select(node => WatchAsync(node, faultAt, end.Token))];
        var first = await Task.WhenAny(watches);
        await end.CancelAsync();
        await ((Task)Task.WhenAll(watches)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return await first;
    }

    /// <summary>What hangs in a server whose agent is gone ends with that server.</summary>
    public Task ReleaseAsync(CancellationToken cancellationToken)
    {
        foreach (var node in Cluster.Nodes.Where(node => !node.HasAgent))
        {
            node.KillServer();
        }
        return Task.CompletedTask;
    }

    public async Task RestoreAsync(CancellationToken cancellationToken)
    {
        await ReleaseAsync(cancellationToken);
        await Cluster.MendAsync(_scenario.Synchronous, cancellationToken);
    }

    public async Task<NpgsqlConnection> OpenPrimaryAsync(CancellationToken cancellationToken)
        => await (await Cluster.LeaderAsync(cancellationToken)).OpenAsync(Database, cancellationToken);

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();

    private static async Task<bool> HasSchemaAsync(PatroniNode node, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await node.OpenAsync(Database, cancellationToken);
            return await connection.ScalarAsync("select to_regclass('watch') is not null", cancellationToken) is true;
        }
        catch (PostgresException notYet) when (notYet.SqlState == PostgresErrorCodes.InvalidCatalogName)
        {
            return false;
        }
    }

    private static async Task<Outage> WatchAsync(PatroniNode node, long faultAt, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(node.ConnectionString(Database));
        var (promotedAt, writableAt) = await WriteWatch.RunAsync(connection, cancellationToken);
        return new(node.Port, faultAt, promotedAt, writableAt);
    }
}
