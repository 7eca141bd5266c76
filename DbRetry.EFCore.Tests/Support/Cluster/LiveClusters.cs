using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>
/// Makes sure that no server outlives this process by more than an accident: live clusters are killed when the process ends or is
/// told to end, and clusters of processes that were killed themselves are swept away by whoever starts a cluster next.
/// </summary>
internal static class LiveClusters
{
    /// <summary>Held by whoever sweeps.</summary>
    public const string SweepLock = "sweep.lock";

    private static readonly ConcurrentDictionary<LocalCluster, bool> Clusters = new();

    // Kept alive for the life of the process: a collected registration no longer handles its signal.
    private static readonly Lazy<PosixSignalRegistration[]> Hooks = new(() =>
    {
        AppDomain.CurrentDomain.ProcessExit += (_, _) => KillAll();
        return [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }
            .Select(signal => PosixSignalRegistration.Create(signal, _ => KillAll()))];
    });

    public static void Add(LocalCluster cluster)
    {
        _ = Hooks.Value;
        Clusters[cluster] = true;
    }

    public static void Remove(LocalCluster cluster) => Clusters.TryRemove(cluster, out _);

    public static void SweepOrphans()
    {
        using var held = ClusterRoot.TryLock(SweepLock);
        if (held is null)
        {
            return; // Somebody else is at it.
        }
        foreach (var folder in ClusterRoot.OrphanedClusterFolders())
        {
            foreach (var node in Directory.EnumerateDirectories(folder))
            {
                ServerProcesses.KillServerOf(Path.Combine(node, "data"));
            }
            DeleteFolder(folder);
        }
    }

    /// <summary>A dying server may still write a file or two while its folder is being deleted.</summary>
    public static void DeleteFolder(string folder)
    {
        for (var attempt = 1; Directory.Exists(folder); attempt++)
        {
            try
            {
                Directory.Delete(folder, recursive: true);
            }
            catch (IOException) when (attempt < 20)
            {
                Thread.Sleep(10);
            }
        }
    }

    private static void KillAll()
    {
        foreach (var cluster in Clusters.Keys)
        {
            cluster.KillNow();
        }
    }
}
