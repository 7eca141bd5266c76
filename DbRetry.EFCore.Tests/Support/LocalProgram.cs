using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using DbRetry.EFCore.Tests.Support.Cluster;

namespace DbRetry.EFCore.Tests.Support;

/// <summary>A program that listens on a loopback port of its own, reads one file of settings, and ends with this process at the latest.</summary>
internal sealed class LocalProgram : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);
    private static readonly string[] Folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];

    private readonly string _folder;
    private readonly PortReservation _port;
    private readonly Process _process;

    private LocalProgram(string folder, PortReservation port, Process process)
    {
        _folder = folder;
        _port = port;
        _process = process;
    }

    public int Port => _port.Port;

    public static bool IsInstalled(string name) => Find(name) is not null;

    /// <summary>The test is inconclusive where the program is not installed.</summary>
    /// <param name="name">Of the program.</param>
    /// <param name="options">What it is started with, before the path of its settings.</param>
    /// <param name="settings">The text of its settings, for the port that it is to listen on.</param>
    /// <param name="cancellationToken">The test's.</param>
    public static async Task<LocalProgram> StartAsync(string name, string options, Func<int, string> settings, CancellationToken cancellationToken)
    {
        SharedCluster.RequireLocal();
        var program = Find(name);
        if (program is null)
        {
            Assert.Inconclusive($"No {name} in {string.Join(", ", Folders)}: run eng/ensure-proxies, or install it.");
        }

        var port = PortReservation.Take();
        var folder = Directory.CreateTempSubdirectory($"dbretry-{name}-").FullName;
        var file = Path.Combine(folder, "settings");
        await File.WriteAllTextAsync(file, settings(port.Port), cancellationToken);
        ServerAccount.Current.Own(folder);
        ServerAccount.Current.Own(file);

        // The shell's standard input closes when this process ends, however that comes about, and the program ends with it.
        var start = new ProcessStartInfo("/bin/sh", ["-c", $"\"$0\" {options} \"$1\" >\"$2\" 2>&1 & read -r _; kill -9 $!", program!, file, Path.Combine(folder, "log")])
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
        };
        ServerAccount.Current.RunUnder(start);
        var started = new LocalProgram(folder, port, Process.Start(start)!);
        try
        {
            await Poll.UntilAsync(started.IsListeningAsync, StartLimit, () => $"{name} does not listen: {started.ReadLog()}", cancellationToken);
        }
        catch
        {
            await started.DisposeAsync();
            throw;
        }

        return started;
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _port.Dispose();
        LiveClusters.DeleteFolder(_folder);
    }

    private static string? Find(string name) => Folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

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
