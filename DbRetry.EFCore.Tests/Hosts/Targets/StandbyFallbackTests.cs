using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;

namespace DbRetry.EFCore.Tests.Hosts.Targets;

/// <summary>Hosts go and come back while others read. Node 0 is the primary, 1 and 2 are standbys, each behind a proxy.</summary>
[TestClass]
public sealed class StandbyFallbackTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Without_standbys_the_primary_serves_and_when_they_are_back_they_do(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        await UntilServedByAsync(bed, async, 1, 2);
        foreach (var standby in bed.Nodes.Skip(1))
        {
            standby.RefuseConnections();
            standby.FailAll(FaultAction.Reset);
        }

        for (var i = 0; i < 20; i++)
        {
            Assert.AreEqual(0, await ServedAsync(bed, TargetSession.PreferStandby, async));
        }

        bed.Nodes[2].AcceptConnections();
        await UntilServedByAsync(bed, async, 2);
        for (var i = 0; i < 20; i++)
        {
            Assert.AreEqual(2, await ServedAsync(bed, TargetSession.PreferStandby, async), "The connections to the primary are still in the pool.");
        }

        bed.Nodes[1].AcceptConnections();
        await UntilServedByAsync(bed, async, 1, 2);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_load_of_a_host_that_is_down_goes_to_all_others_alike(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        var down = async ? 1 : 0;
        bed.Nodes[down].RefuseConnections();
        var served = new int[3];
        for (var i = 0; i < 400; i++)
        {
            served[await ServedAsync(bed, TargetSession.Any, async)]++;
        }

        TestContext.WriteLine(string.Join(' ', served));

        // Half of 400; its standard deviation is 10.
        Assert.AreEqual(0, served[down]);
        Assert.HasCount(2, served.Where(count => count is > 140 and < 260), string.Join(' ', served));
    }

    private async Task<int> ServedAsync(HostProxies bed, TargetSession target, bool async)
    {
        await using var context = HostBed.Context(bed.ConnectionString, options => options.TargetSession = target);
        return await context.NodeAsync(bed.Cluster, async, Cancellation);
    }

    private async Task UntilServedByAsync(HostProxies bed, bool async, params IReadOnlyList<int> nodes)
    {
        var latest = new Queue<int>();
        await Poll.UntilAsync(
            async () =>
            {
                latest.Enqueue(await ServedAsync(bed, TargetSession.PreferStandby, async));
                while (latest.Count > 10)
                {
                    latest.Dequeue();
                }

                return nodes.All(latest.Contains) && latest.All(nodes.Contains);
            },
            Limit,
            () => $"{string.Join(' ', latest)} served, not {string.Join(' ', nodes)}",
            Cancellation);
    }
}
