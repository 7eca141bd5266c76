using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts.Probing;

/// <summary>When the hosts of a connection string are probed by what may be the first connection of a pool.</summary>
[TestClass]
public sealed class LentConnectionTests
{
    private static readonly RetrySettings Settings = RetrySettings.From(new DbRetryOptions { TargetSession = TargetSession.Primary });

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task Only_a_pool_without_connections_lends_one()
    {
        await using var bed = await HostProxies.CreateAsync();
        var (route, primary) = await ServedAsync(bed);
        var standby = (primary + 1) % 3;
        Assert.IsFalse(await LendsAsync(route, primary), "It has one.");

        await using (var first = await route.ConnectForAllAsync(standby, Cancellation))
        {
            Assert.IsTrue(first.IsPooled);
            Assert.IsFalse(await LendsAsync(route, standby), "It is in use.");
        }

        Assert.IsFalse(await LendsAsync(route, standby), "It is idle.");
        route.ClearPool(standby);
        Assert.IsTrue(await LendsAsync(route, standby));
    }

    [TestMethod]
    public async Task A_pool_that_would_have_to_ask_for_types_lends_none()
    {
        await using var bed = await HostProxies.CreateAsync();
        var route = bed.Route(Settings, new ManualTime());
        for (var host = 0; host < 3; host++)
        {
            Assert.IsFalse(await LendsAsync(route, host));
        }
    }

    [TestMethod]
    public async Task Without_pooling_no_connection_could_be_used_by_anybody_else()
    {
        await using var bed = await HostProxies.CreateAsync();
        var (route, primary) = await ServedAsync(bed, ";Pooling=false");

        Assert.IsFalse(await LendsAsync(route, (primary + 1) % 3));
    }

    [TestMethod]
    public async Task What_looks_at_one_host_only_stays_outside_the_pool()
    {
        await using var bed = await HostProxies.CreateAsync();
        var (route, primary) = await ServedAsync(bed);

        await using var session = await route.ConnectAsync((primary + 1) % 3, Cancellation);
        Assert.IsFalse(session.IsPooled);
    }

    private async Task<bool> LendsAsync(HostRoute route, int host)
    {
        await using var session = await route.ConnectForAllAsync(host, Cancellation);
        return session.IsPooled;
    }

    // The pool of the primary has a connection.
    private async Task<(HostRoute Route, int Primary)> ServedAsync(HostProxies bed, string? more = null)
    {
        var route = bed.Route(Settings, new ManualTime(), more);
        var primary = bed.HostOf(route, 0);
        await using var connection = new NpgsqlConnection();
        route.Bind(connection, primary);
        await connection.OpenAsync(Cancellation);
        route.Cluster.Saw(primary, await HostRoles.AskAsync(connection, Settings.HostTimeout, Cancellation));
        route.Served(primary);
        return (route, primary);
    }
}
