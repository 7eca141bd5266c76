using Npgsql;

namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>
/// PostgreSQL servers on loopback ports, in a folder of their own, for as long as this object lives: one primary and its streaming
/// standbys. Needs installed server binaries and nothing else.
/// </summary>
internal sealed partial class LocalCluster : IAsyncDisposable
{
    private const int StartAttempts = 3;
    private static readonly TimeSpan ReplicationLimit = TimeSpan.FromSeconds(30);

    private readonly string _folder;
    private readonly ClusterNode[] _nodes;
    private int _databases;
    private int _disposed;

    private LocalCluster(PostgresBinaries binaries, string folder, ClusterNode[] nodes)
    {
        Binaries = binaries;
        _folder = folder;
        _nodes = nodes;
    }

    public PostgresBinaries Binaries { get; }

    public int NodeCount => _nodes.Length;

    /// <summary>The node that was promoted last, or node 0.</summary>
    public int PrimaryIndex { get; private set; }

    public static async Task<LocalCluster> StartAsync(LocalClusterOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Nodes, options.Synchronous ? 2 : 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.Nodes, 3);
        LiveClusters.SweepOrphans();
        var binaries = await PostgresBinaries.FindAsync(cancellationToken);
        var template = await ClusterTemplate.GetAsync(binaries, options.System, cancellationToken);
        for (var attempt = 1; ; attempt++)
        {
            var cluster = Lay(binaries, options);
            LiveClusters.Add(cluster);
            try
            {
                await Task.WhenAll(cluster._nodes.Select((_, i) => cluster.StartFirstAsync(i, template, cancellationToken)));
                await cluster.WaitForStandbysAsync(options.Nodes - 1, cancellationToken);
                return cluster;
            }
            catch (ServerStartException taken) when (taken.PortTaken && attempt < StartAttempts)
            {
                // Someone who does not know our reservations was faster; other ports then.
                await cluster.DisposeAsync();
            }
            catch
            {
                await cluster.DisposeAsync();
                throw;
            }
        }
    }

    public int Port(int node) => _nodes[node].Port;

    /// <summary>For one node.</summary>
    public string NodeConnectionString(int node, string database = "postgres") => ConnectionString(database, node);

    /// <summary>For the given nodes in the given order, or for all.</summary>
    public string ConnectionString(string database = "postgres", params IReadOnlyList<int> nodes)
    {
        var hosts = (nodes is [] ? Enumerable.Range(0, NodeCount) : nodes).Select(node => $"127.0.0.1:{Port(node)}");
        return $"Host={string.Join(',', hosts)};Username=postgres;Database={database};Timeout=5";
    }

    /// <summary>A connection of its own to one node, outside the pools of the tests.</summary>
    public async Task<NpgsqlConnection> AdminConnectionAsync(
        int node, string database = "postgres", CancellationToken cancellationToken = default)
    {
        var connection = new NpgsqlConnection(
            NodeConnectionString(node, database) + ";Pooling=false;Command Timeout=40;Application Name=dbretry-admin");
        try
        {
            await connection.OpenAsync(cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Creates an empty database and waits until the running standbys have it, too.</summary>
    public async Task<string> CreateDatabaseAsync(string? name = null, CancellationToken cancellationToken = default)
    {
        name ??= $"test_{Interlocked.Increment(ref _databases)}";
        await using (var admin = await AdminConnectionAsync(PrimaryIndex, "postgres", cancellationToken))
        {
            await ExecuteAsync(admin, NewDatabase.Sql(name, admin.PostgreSqlVersion), cancellationToken);
        }
        await WaitForReplayAsync(cancellationToken);
        return name;
    }

    public string ReadLog(int node) => _nodes[node].ReadLog();

    /// <summary>Ends all servers without further ado. Their folder stays until disposal or the next sweep.</summary>
    public void KillNow()
    {
        foreach (var node in _nodes)
        {
            node.KillNow();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }
        await Task.WhenAll(_nodes.Select(node => node.KillAsync(CancellationToken.None)));
        LiveClusters.Remove(this);
        foreach (var node in _nodes)
        {
            node.Dispose();
        }
        LiveClusters.DeleteFolder(_folder);
    }

    private static LocalCluster Lay(PostgresBinaries binaries, LocalClusterOptions options)
    {
        var folder = ClusterRoot.NewClusterFolder();
        var nodes = new ClusterNode[options.Nodes];
        for (var i = 0; i < nodes.Length; i++)
        {
            var nodeFolder = Directory.CreateDirectory(Path.Combine(folder, $"n{i}")).FullName;
            ServerAccount.Current.Own(nodeFolder);
            options.Prepare?.Invoke(i, nodeFolder);
            nodes[i] = new ClusterNode(binaries, nodeFolder, PortReservation.Take());
        }
        int[] ports = [.. nodes.Select(node => node.Port)];
        for (var i = 0; i < nodes.Length; i++)
        {
            File.WriteAllText(
                Path.Combine(nodes[i].Folder, ClusterTemplate.SettingsFile), NodeSettings.Text(options, i, ports, nodes[i].Folder));
            File.WriteAllText(Path.Combine(nodes[i].Folder, "pg_hba.conf"), NodeSettings.AccessText(options));
        }
        return new LocalCluster(binaries, folder, nodes);
    }

    // A standby needs no base backup: a never started copy of the primary's folder is one.
    private async Task StartFirstAsync(int index, string template, CancellationToken cancellationToken)
    {
        var node = _nodes[index];
        await ClusterTemplate.CopyAsync(template, node.DataFolder, cancellationToken);
        if (index != PrimaryIndex)
        {
            node.MarkAsStandby();
        }
        await node.StartAsync(cancellationToken);
    }

    private static async Task<T> ScalarAsync<T>(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
