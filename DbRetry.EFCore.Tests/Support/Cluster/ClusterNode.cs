using System.Diagnostics;

namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>One server of a local cluster: its folder and its processes.</summary>
internal sealed class ClusterNode(PostgresBinaries binaries, string folder, PortReservation port) : IDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(30);

    private Process? _postmaster;

    public int Port => port.Port;

    public string Folder => folder;

    public string DataFolder { get; } = Path.Combine(folder, "data");

    public bool IsRunning => _postmaster is { HasExited: false };

    public bool IsFrozen { get; private set; }

    public int PostmasterId => IsRunning ? _postmaster!.Id : throw new InvalidOperationException($"The server in {folder} is not running.");

    private string LogPath => Path.Combine(folder, "server.log");

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (IsRunning)
        {
            throw new InvalidOperationException($"The server in {folder} is running already.");
        }
        _postmaster?.Dispose();

        // exec keeps the id: the shell is only there to send the output to a file, which must not depend on us staying alive.
        var start = new ProcessStartInfo("/bin/sh", ["-c", "exec \"$0\" -D \"$1\" </dev/null >>\"$2\" 2>&1", binaries.Postgres, DataFolder, LogPath])
        {
            WorkingDirectory = folder,
        };
        ServerAccount.Current.RunUnder(start);
        _postmaster = Process.Start(start)!;
        await Poll.UntilAsync(
            () => _postmaster.HasExited || SaysReady(_postmaster.Id),
            StartLimit,
            () => $"the server in {folder} is not ready. The end of its log:\n{LogTail()}",
            cancellationToken);
        if (_postmaster.HasExited)
        {
            var tail = LogTail();
            throw new ServerStartException(
                $"The server in {folder} did not start (exit code {_postmaster.ExitCode}). The end of its log:\n{tail}",
                portTaken: tail.Contains("could not bind", StringComparison.Ordinal));
        }
    }

    public async Task StopAsync(StopMode mode, CancellationToken cancellationToken)
    {
        if (!IsRunning)
        {
            return;
        }
        Posix.Signal(PostmasterId, mode switch
        {
            StopMode.Smart => Posix.SigTerm,
            StopMode.Fast => Posix.SigInt,
            _ => Posix.SigQuit,
        });
        await _postmaster!.WaitForExitAsync(cancellationToken).WaitAsync(StopLimit, cancellationToken);
    }

    public async Task KillAsync(CancellationToken cancellationToken)
    {
        var dying = KillNow();
        await Poll.UntilAsync(
            () => !IsRunning && !dying.Any(ProcessTable.IsAlive),
            StopLimit,
            () => $"processes of the server in {folder} survive SIGKILL",
            cancellationToken);

        // Its process id may belong to somebody else by the next start, which would then refuse.
        File.Delete(Path.Combine(DataFolder, "postmaster.pid"));
    }

    public IReadOnlyList<int> KillNow()
    {
        IsFrozen = false;
        return IsRunning ? ServerProcesses.Kill(PostmasterId) : [];
    }

    public void Freeze()
    {
        ServerProcesses.Freeze(PostmasterId);
        IsFrozen = true;
    }

    public void Thaw()
    {
        ServerProcesses.Thaw(PostmasterId);
        IsFrozen = false;
    }

    /// <summary>The next start comes up as a standby.</summary>
    public void MarkAsStandby()
    {
        var signal = Path.Combine(DataFolder, "standby.signal");
        File.WriteAllText(signal, "");
        ServerAccount.Current.Own(signal);
    }

    public string ReadLog() => File.Exists(LogPath) ? File.ReadAllText(LogPath) : "";

    public void Dispose()
    {
        _postmaster?.Dispose();
        port.Dispose();
    }

    // Line 8 of postmaster.pid is the server's own account of its state; pg_ctl waits for it, too.
    private bool SaysReady(int postmaster) =>
        ServerProcesses.ReadPidFile(DataFolder) is [var id, _, _, _, _, _, _, var status, ..]
        && id == $"{postmaster}"
        && status.StartsWith("ready", StringComparison.Ordinal);

    private string LogTail() => string.Join('\n', ReadLog().Split('\n').TakeLast(20));
}
