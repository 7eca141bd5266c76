using System.Net;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.Failover.Patroni;

/// <summary>A PostgreSQL server and the agent that runs it.</summary>
internal sealed class PatroniNode(HttpClient http, string binaries, string folder, int number, int etcdPort) : IAsyncDisposable
{
    private const int ShownLines = 15;

    private readonly PortReservation _port = PortReservation.Take();
    private readonly PortReservation _restPort = PortReservation.Take();
    private GuardedProcess? _agent;

    public string Name => $"n{number}";

    public int Port => _port.Port;

    public bool HasAgent => _agent is { IsAlive: true };

    private string DataFolder => Path.Combine(folder, "data");

    /// <summary>To the server, outside of all pools.</summary>
    public string ConnectionString(string database)
        => $"Host=127.0.0.1;Port={Port};Username=postgres;Database={database};Pooling=false;Timeout=5;Application Name=dbretry-admin";

    public async Task<NpgsqlConnection> OpenAsync(string database, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(ConnectionString(database));
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

    public async Task StartAgentAsync(CancellationToken cancellationToken)
    {
        await KillAgentAsync();
        var settings = Path.Combine(folder, "patroni.yml");
        await File.WriteAllTextAsync(settings, PatroniSettings.Text(binaries, folder, number, Port, _restPort.Port, etcdPort), cancellationToken);
        ServerAccount.Current.Own(settings);
        _agent = await GuardedProcess.StartAsync(folder, "patroni.log", binaries, [PatroniBinaries.Patroni!, settings], cancellationToken);
    }

    /// <summary>kill -9 of the agent alone; its server goes on.</summary>
    public async Task KillAgentAsync()
    {
        if (_agent is { } agent)
        {
            _agent = null;
            await agent.DisposeAsync();
        }
    }

    /// <summary>kill -9 of the server with all its processes; its agent goes on.</summary>
    public void KillServer() => ServerProcesses.KillServerOf(DataFolder);

    /// <summary>Whether the agent answers a question with yes: <c>primary</c>, <c>replica</c>, <c>synchronous</c>.</summary>
    public async Task<bool> IsAsync(string role, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await http.GetAsync(Address(role), cancellationToken);
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    public async Task TellAsync(HttpMethod method, string path, string json, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, Address(path)) { Content = new StringContent(json) };
        using var answer = await http.SendAsync(request, cancellationToken);
        if (!answer.IsSuccessStatusCode)
        {
            var text = await answer.Content.ReadAsStringAsync(cancellationToken);
            throw new InvalidOperationException($"The agent of {Name} answered {method} {path} with {(int)answer.StatusCode}: {text}");
        }
    }

    public string LogTail()
        => Path.Combine(folder, "patroni.log") is var log && File.Exists(log) ? string.Join('\n', File.ReadLines(log).TakeLast(ShownLines)) : "it has no log";

    public async ValueTask DisposeAsync()
    {
        await KillAgentAsync();
        KillServer();
        _port.Dispose();
        _restPort.Dispose();
    }

    private Uri Address(string path) => new($"http://127.0.0.1:{_restPort.Port}/{path}");
}
