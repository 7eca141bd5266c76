namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>The folder below the temp folder where all local clusters of one user live.</summary>
internal static class ClusterRoot
{
    private static int _lastCluster;

    public static string Path { get; } = Create();

    /// <summary>
    /// A new folder whose very name says who owns it: there is no moment in which another process could see it without an owner
    /// and sweep it away.
    /// </summary>
    public static string NewClusterFolder()
    {
        var owner = $"{Environment.ProcessId}-{ProcessTable.StartMark(Environment.ProcessId)}";
        return Directory.CreateDirectory(System.IO.Path.Combine(Path, $"run-{owner}-{Interlocked.Increment(ref _lastCluster)}")).FullName;
    }

    /// <summary>The clusters whose owner is no longer there.</summary>
    public static IEnumerable<string> OrphanedClusterFolders() =>
        Directory.EnumerateDirectories(Path, "run-*").Where(folder =>
            System.IO.Path.GetFileName(folder).Split('-') is [_, var processId, var start, _]
            && int.TryParse(processId, out var owner)
            && ProcessTable.StartMark(owner) != start
            && Directory.Exists(folder)); // Its owner may have removed it and ended while we looked.

    /// <summary>Locks between processes; the lock goes away with its process. Null when someone else has it.</summary>
    public static FileStream? TryLock(string name)
    {
        try
        {
            return new FileStream(System.IO.Path.Combine(Path, name), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static string Create()
    {
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException("Local clusters are made of POSIX signals and file modes.");
        }
        var root = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"dbretry-clusters-{Posix.EffectiveUserId}");
        Directory.CreateDirectory(System.IO.Path.Combine(root, "ports"));

        // The server account must be able to pass through, whatever our umask is.
        File.SetUnixFileMode(root, (UnixFileMode)Convert.ToInt32("755", 8));
        return root;
    }
}
