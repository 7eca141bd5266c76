using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.Failover.Patroni;

/// <summary>etcd and three nodes that Patroni manages, in a folder of their own, for as long as this object lives.</summary>
internal sealed class PatroniCluster : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(10) };
    private readonly string _folder = ClusterRoot.NewClusterFolder();
    private readonly PortReservation _etcdPort = PortReservation.Take();
    private readonly PortReservation _peerPort = PortReservation.Take();
    private GuardedProcess? _etcd;

    private PatroniCluster(PostgresBinaries binaries)
        => Nodes = [.. Enumerable.Range(0, 3).Select(node => new PatroniNode(_http, binaries.Folder, NewFolder($"n{node}"), node, _etcdPort.Port))];

    public IReadOnlyList<PatroniNode> Nodes { get; }

    public static async Task<PatroniCluster> StartAsync(CancellationToken cancellationToken)
    {
        LiveClusters.SweepOrphans();
        var cluster = new PatroniCluster(await PostgresBinaries.FindAsync(cancellationToken));
        try
        {
            await cluster.StartEtcdAsync(cancellationToken);
            await cluster.MendAsync(synchronous: true, cancellationToken);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>The node that holds the leader's lock and is the primary.</summary>
    public async Task<PatroniNode> LeaderAsync(CancellationToken cancellationToken)
    {
        PatroniNode? leader = null;
        await PollAsync(async () => (leader = await FirstAsync("primary", cancellationToken)) is not null, "there is no leader", cancellationToken);
        return leader!;
    }

    /// <summary>Starts the agents that are missing, and waits until everybody is what it should be.</summary>
    public async Task MendAsync(bool synchronous, CancellationToken cancellationToken)
    {
        foreach (var node in Nodes.Where(node => !node.HasAgent))
        {
            await node.StartAgentAsync(cancellationToken);
        }
        await PollAsync(() => IsWholeAsync(cancellationToken), "the cluster is not whole", cancellationToken);
        var leader = await LeaderAsync(cancellationToken);
        await leader.TellAsync(HttpMethod.Patch, "config", $$"""{"synchronous_mode": {{(synchronous ? "true" : "false")}}}""", cancellationToken);
        await using var connection = await leader.OpenAsync("postgres", cancellationToken);
        await PollAsync(
            async () => (await connection.ScalarAsync("show synchronous_standby_names", cancellationToken) is not "") == synchronous
                && (!synchronous || await FirstAsync("synchronous", cancellationToken) is not null),
            $"synchronous mode is not {(synchronous ? "on" : "off")}",
            cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in Nodes)
        {
            await node.DisposeAsync();
        }
        if (_etcd is not null)
        {
            await _etcd.DisposeAsync();
        }
        _etcdPort.Dispose();
        _peerPort.Dispose();
        _http.Dispose();
        LiveClusters.DeleteFolder(_folder);
    }

    private async Task StartEtcdAsync(CancellationToken cancellationToken)
    {
        var folder = NewFolder("etcd");
        var (client, peer) = ($"http://127.0.0.1:{_etcdPort.Port}", $"http://127.0.0.1:{_peerPort.Port}");
        _etcd = await GuardedProcess.StartAsync(
            folder,
            "etcd.log",
            "/usr/bin",
            [
                PatroniBinaries.Etcd!, "--name", "e0", "--data-dir", Path.Combine(folder, "members"), "--unsafe-no-fsync",
                "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", $"e0={peer}", "--heartbeat-interval", "50", "--election-timeout", "500", "--log-level", "warn",
            ],
            cancellationToken);
        await PollAsync(() => IsHealthyAsync(new($"{client}/health"), cancellationToken), "etcd does not answer", cancellationToken);
    }

    private async Task<bool> IsHealthyAsync(Uri address, CancellationToken cancellationToken)
    {
        try
        {
            return (await _http.GetStringAsync(address, cancellationToken)).Contains("true", StringComparison.Ordinal);
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private async Task<bool> IsWholeAsync(CancellationToken cancellationToken)
    {
        if (await FirstAsync("primary", cancellationToken) is not { } leader)
        {
            return false;
        }
        foreach (var node in Nodes.Where(node => node != leader))
        {
            if (!await node.IsAsync("replica", cancellationToken))
            {
                return false;
            }
        }
        try
        {
            await using var connection = await leader.OpenAsync("postgres", cancellationToken);
            return await connection.ScalarAsync("select count(*) from pg_stat_replication where state = 'streaming'", cancellationToken) is 2L;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private async Task<PatroniNode?> FirstAsync(string role, CancellationToken cancellationToken)
    {
        foreach (var node in Nodes.Where(node => node.HasAgent))
        {
            if (await node.IsAsync(role, cancellationToken))
            {
                return node;
            }
        }
        return null;
    }

    private Task PollAsync(Func<Task<bool>> condition, string failure, CancellationToken cancellationToken)
        => Poll.UntilAsync(
            condition, Limit, () => $"{failure}.\n{string.Join('\n', Nodes.Select(node => $"{node.Name}: {node.LogTail()}"))}", cancellationToken);

    private string NewFolder(string name)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder, name)).FullName;
        ServerAccount.Current.Own(folder);
        return folder;
    }
}
