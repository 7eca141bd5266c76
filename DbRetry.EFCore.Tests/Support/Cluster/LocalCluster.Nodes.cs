using Npgsql;

namespace DbRetry.EFCore.Tests.Support.Cluster;

// What can be done to one node.
internal sealed partial class LocalCluster
{
    /// <summary>The machine dies: nothing is flushed, nobody says goodbye; the kernel closes the sockets.</summary>
    public Task KillAsync(int node, CancellationToken cancellationToken = default) => _nodes[node].KillAsync(cancellationToken);

    /// <summary>
    /// Kills one backend, upon which its server throws out everybody, recovers and goes on under the same postmaster.
    /// </summary>
    public void KillBackend(int node, int backend)
    {
        if (!ProcessTable.Children(_nodes[node].PostmasterId).Contains(backend))
        {
            throw new ArgumentException($"Process {backend} is no backend of node {node}.", nameof(backend));
        }
        Posix.Signal(backend, Posix.SigKill);
    }

    /// <summary>Ends client sessions with 57P01, all or those of one application name; returns how many.</summary>
    public async Task<long> TerminateBackendsAsync(
        int node, string? applicationName = null, CancellationToken cancellationToken = default)
    {
        await using var admin = await AdminConnectionAsync(node, cancellationToken: cancellationToken);
        await using var command = new NpgsqlCommand(
            """
            select count(pg_terminate_backend(pid)) from pg_stat_activity
            where backend_type = 'client backend' and pid <> pg_backend_pid() and application_name <> 'dbretry-admin'
              and ($1 is null or application_name = $1)
            """,
            admin)
        {
            Parameters = { new NpgsqlParameter<string?> { TypedValue = applicationName } },
        };
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    public Task StopAsync(int node, StopMode mode = StopMode.Fast, CancellationToken cancellationToken = default) =>
        _nodes[node].StopAsync(mode, cancellationToken);

    /// <summary>Starts a node that was stopped or killed, as what it was: a former primary comes up as a primary.</summary>
    public Task StartNodeAsync(int node, CancellationToken cancellationToken = default) => _nodes[node].StartAsync(cancellationToken);

    /// <summary>The node keeps its sockets and stops answering; the kernel still accepts connections for it.</summary>
    public void Freeze(int node) => _nodes[node].Freeze();

    public void Thaw(int node) => _nodes[node].Thaw();

    /// <summary>
    /// Stops the server's own processes of one kind, as <c>pg_stat_activity.backend_type</c> calls it, until the result is disposed or the server ends:
    /// without its walwriter nothing but a commit that waits for it flushes WAL, without its walsenders nothing is replicated.
    /// </summary>
    public async Task<IDisposable> HoldAsync(int node, string backendType, CancellationToken cancellationToken = default)
    {
        await using var admin = await AdminConnectionAsync(node, cancellationToken: cancellationToken);
        var processes = await ScalarAsync<int[]>(
            admin, $"select array_agg(pid) from pg_stat_activity where backend_type = '{backendType}'", cancellationToken);
        return new HeldProcesses(processes);
    }

    public bool IsRunning(int node) => _nodes[node].IsRunning;

    /// <summary>Waits until a node lets clients in, for instance after a crash of one backend.</summary>
    public Task WaitForNodeAsync(int node, CancellationToken cancellationToken = default) => Poll.UntilAsync(
        async () =>
        {
            try
            {
                await using var connection = await AdminConnectionAsync(node, cancellationToken: cancellationToken);
                return true;
            }
            catch (NpgsqlException)
            {
                return false;
            }
        },
        ReplicationLimit,
        () => $"node {node} lets nobody in. Its log:\n{ReadLog(node)}",
        cancellationToken);
}
