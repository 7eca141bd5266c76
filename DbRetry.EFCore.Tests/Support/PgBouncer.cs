using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using DbRetry.EFCore.Tests.Support.Cluster;

namespace DbRetry.EFCore.Tests.Support;

/// <summary>A PgBouncer of its own on a loopback port, with transaction pooling, in front of one server.</summary>
internal sealed class PgBouncer : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);
    private static readonly string[] Folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];

    private readonly string _folder;
    private readonly PortReservation _port;
    private readonly Process _process;

    private PgBouncer(string folder, PortReservation port, Process process)
    {
        _folder = folder;
        _port = port;
        _process = process;
    }

    public int Port => _port.Port;

    /// <summary>Starts one that takes every database from the server on a loopback port. The test is inconclusive where there is no PgBouncer.</summary>
    public static async Task<PgBouncer> StartAsync(int serverPort, CancellationToken cancellationToken)
    {
        SharedCluster.RequireLocal();
        var program = Folders.Select(folder => Path.Combine(folder, "pgbouncer")).FirstOrDefault(File.Exists);
        if (program is null)
        {
            Assert.Inconclusive($"No pgbouncer in {string.Join(", ", Folders)}: run eng/ensure-pgbouncer, or install it.");
        }

        var port = PortReservation.Take();
        var folder = Directory.CreateTempSubdirectory("dbretry-pgbouncer-").FullName;
        var settings = Path.Combine(folder, "pgbouncer.ini");
        await File.WriteAllTextAsync(settings, Settings(port.Port, serverPort), cancellationToken);
        ServerAccount.Current.Own(folder);
        ServerAccount.Current.Own(settings);

        // The shell's standard input closes when this process ends, however that comes about, and PgBouncer ends with it.
        var start = new ProcessStartInfo("/bin/sh", ["-c", "\"$0\" -q \"$1\" >\"$2\" 2>&1 & read -r _; kill -9 $!", program!, settings, Path.Combine(folder, "log")])
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
        };
        ServerAccount.Current.RunUnder(start);
        var pgBouncer = new PgBouncer(folder, port, Process.Start(start)!);
        try
        {
            await Poll.UntilAsync(pgBouncer.IsListeningAsync, StartLimit, () => $"PgBouncer does not listen: {pgBouncer.ReadLog()}", cancellationToken);
        }
        catch
        {
            await pgBouncer.DisposeAsync();
            throw;
        }

        return pgBouncer;
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _port.Dispose();
        LiveClusters.DeleteFolder(_folder);
    }

    private static string Settings(int port, int serverPort)
        => $"""
            [databases]
            * = host=127.0.0.1 port={serverPort} user=postgres
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            server_login_retry = 1
            server_check_delay = 0
            query_wait_timeout = 20
            ignore_startup_parameters = extra_float_digits
            """;

    private async Task<bool> IsListeningAsync()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private string ReadLog() => Path.Combine(_folder, "log") is var log && File.Exists(log) ? File.ReadAllText(log) : "it has no log";
}
