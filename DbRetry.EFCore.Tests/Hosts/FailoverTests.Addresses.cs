using DbRetry.EFCore.Tests.Support.Cluster;

namespace DbRetry.EFCore.Tests.Hosts;

// One address for all servers: a load balancer, a pooler, a name that moves. What stands there learns of a failover later than those who write.
public sealed partial class FailoverTests
{
    private static MovingAddresses Addresses => _addresses!;

    [TestMethod]
    public async Task Writers_behind_one_address_write_on_through_the_death_of_their_primary()
    {
        await LeadToPrimaryAsync();
        await AssertNothingIsNoticedAsync(_behind, writers: 2, async () =>
        {
            await FailOverAsync();
            await Task.Delay(1500, Cancellation);
            Addresses.LeadTo(Cluster.PrimaryIndex);
        });
        foreach (var wiring in _behind)
        {
            await wiring.AssertMappedAsync(Cancellation);
        }

        AssertAllTried();
    }

    [TestMethod]
    public async Task Writers_behind_one_address_wait_while_it_leads_to_a_primary_that_became_a_standby()
    {
        await LeadToPrimaryAsync();
        await AssertNothingIsNoticedAsync(_behind, writers: 2, async () =>
        {
            await SwitchOverAsync();
            await Task.Delay(1500, Cancellation);
            Addresses.LeadTo(Cluster.PrimaryIndex);
        });
        AssertAllTried();
    }

    private async Task LeadToPrimaryAsync()
    {
        Addresses.LeadTo(Cluster.PrimaryIndex);
        foreach (var wiring in _behind)
        {
            await Poll.UntilAsync(
                async () =>
                {
                    await using var context = wiring.Context();
                    return await context.IsPrimaryAsync(Cancellation);
                },
                TimeSpan.FromSeconds(30),
                () => $"{wiring} does not lead to the primary",
                Cancellation);
        }
    }

    private static void AssertAllTried()
    {
        if (MovingAddresses.Missing.Count > 0)
        {
            Assert.Inconclusive($"All went well, but without {string.Join(" and ", MovingAddresses.Missing)}: run eng/ensure-proxies, or install it.");
        }
    }
}
