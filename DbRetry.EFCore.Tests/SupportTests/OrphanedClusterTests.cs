using System.Diagnostics;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;

namespace DbRetry.EFCore.Tests.SupportTests;

[TestClass]
public class OrphanedClusterTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_cluster_whose_owner_died_is_killed_and_removed_by_the_next_start()
    {
        using var owner = Process.Start("/bin/sh", ["-c", "exit 0"]);
        await owner.WaitForExitAsync(Cancellation);
        var orphan = Path.Combine(ClusterRoot.Path, $"run-{owner.Id}-0-1");
        int postmaster;
        await using (await HoldSweepsAsync())
        {
            postmaster = await StartServerAsync(Path.Combine(orphan, "n0"));
        }

        await using var cluster = await SharedCluster.OwnAsync(cancellationToken: Cancellation);

        // Another test that starts a cluster may be sweeping in our place.
        await Poll.UntilAsync(
            () => !Directory.Exists(orphan) && !ProcessTable.IsAlive(postmaster),
            TimeSpan.FromSeconds(10),
            () => "the orphan is still there",
            Cancellation);
    }

    [TestMethod]
    public async Task Clusters_of_living_owners_are_left_alone()
    {
        await using var cluster = await SharedCluster.OwnAsync(cancellationToken: Cancellation);

        LiveClusters.SweepOrphans();

        Assert.IsTrue(cluster.IsRunning(0));
        await cluster.WaitForNodeAsync(0, Cancellation);
    }

    private static async Task<FileStream> HoldSweepsAsync()
    {
        FileStream? held = null;
        await Poll.UntilAsync(
            () => (held = ClusterRoot.TryLock(LiveClusters.SweepLock)) is not null,
            TimeSpan.FromSeconds(10),
            () => "someone else sweeps for ever");
        return held!;
    }

    private async Task<int> StartServerAsync(string folder)
    {
        var binaries = await PostgresBinaries.FindAsync(Cancellation);
        Directory.CreateDirectory(folder);
        ServerAccount.Current.Own(folder);
        using var node = new ClusterNode(binaries, folder, PortReservation.Take());
        await File.WriteAllTextAsync(
            Path.Combine(folder, ClusterTemplate.SettingsFile), NodeSettings.Text(new(), 0, [node.Port], folder), Cancellation);
        await ClusterTemplate.CopyAsync(await ClusterTemplate.GetAsync(binaries, string.Empty, Cancellation), node.DataFolder, Cancellation);
        await node.StartAsync(Cancellation);
        return node.PostmasterId;
    }
}
