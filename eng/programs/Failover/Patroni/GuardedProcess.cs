using System.Diagnostics;
using DbRetry.EFCore.Tests.Support.Cluster;

namespace DbRetry.Failover.Patroni;

/// <summary>A program under the server account that does not outlive this process, however that ends.</summary>
internal sealed class GuardedProcess : IAsyncDisposable
{
    // The shell's standard input closes with this process. Signals of the terminal are for us: the program is still needed to clean up in order.
    private const string Guard = "trap '' INT HUP TERM; log=$1; shift; \"$@\" </dev/null >>\"$log\" 2>&1 & echo $!; read -r _; kill -9 $!";

    private readonly Process _guard;

    private GuardedProcess(Process guard, int id)
    {
        _guard = guard;
        Id = id;
    }

    public int Id { get; }

    public bool IsAlive => ProcessTable.IsAlive(Id);

    /// <param name="folder">Where it works and where its log is.</param>
    /// <param name="log">The name of the log.</param>
    /// <param name="binaries">A folder where it finds other programs.</param>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="cancellationToken">Ends the wait for its start.</param>
    public static async Task<GuardedProcess> StartAsync(
        string folder, string log, string binaries, IEnumerable<string> command, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", Guard, "guard", Path.Combine(folder, log), .. command])
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.Environment["HOME"] = folder;
        start.Environment["PATH"] = $"{binaries}:/usr/bin:/bin";
        start.Environment["LC_ALL"] = "C.UTF-8";
        ServerAccount.Current.RunUnder(start);
        var guard = Process.Start(start)!;
        return new(guard, int.Parse((await guard.StandardOutput.ReadLineAsync(cancellationToken))!));
    }

    /// <summary>kill -9.</summary>
    public async ValueTask DisposeAsync()
    {
        _guard.StandardInput.Close();
        await _guard.WaitForExitAsync();
        _guard.Dispose();
    }
}
