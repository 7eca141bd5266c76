using DbRetry.EFCore.HealthChecks;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace DbRetry.EFCore.Tests.HealthChecks;

[TestClass]
public sealed class HealthCheckTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task The_health_of_a_cluster_follows_its_hosts_whatever_the_wiring()
    {
        await using var cluster = await SharedCluster.OwnAsync(new LocalClusterOptions { Nodes = 3 }, Cancellation);
        var connectionString = $"{cluster.ConnectionString()};Password=s3cret";
        await using var dataSource = new NpgsqlDataSourceBuilder(connectionString).BuildMultiHost();
        await using var byString = Provider(builder => builder.UseNpgsql(connectionString));
        await using var bySource = Provider(builder => builder.UseNpgsql(dataSource));
        ServiceProvider[] wirings = [byString, bySource];

        foreach (var wiring in wirings)
        {
            var all = await CheckAsync(wiring, HealthStatus.Healthy);
            Assert.AreEqual("Sessions of the kind ReadWrite can be served; 3 of 3 hosts answer.", all.Description);
            Assert.AreEqual("is the primary", all.Data[Host(cluster, 0)]);
            Assert.AreEqual("is a standby", all.Data[Host(cluster, 1)]);
            Assert.AreEqual(1, all.Data["timeline"]);
            Assert.IsFalse(all.Data.ContainsKey("lastFailover"));
        }

        await cluster.KillAsync(2, Cancellation);
        foreach (var wiring in wirings)
        {
            var without = await CheckAsync(wiring, HealthStatus.Degraded);
            Assert.StartsWith("does not answer (", (string)without.Data[Host(cluster, 2)]);
            Assert.Contains($"2 of 3 hosts answer; {Host(cluster, 2)} does not answer", without.Description!);
        }

        await cluster.KillAsync(0, Cancellation);
        foreach (var wiring in wirings)
        {
            var none = await CheckAsync(wiring, HealthStatus.Unhealthy);
            Assert.StartsWith("No host can serve a session of the kind ReadWrite; 1 of 3 hosts answer", none.Description!);
        }

        await cluster.PromoteAsync(1, Cancellation);
        foreach (var wiring in wirings)
        {
            var after = await CheckAsync(wiring, HealthStatus.Degraded);
            Assert.AreEqual(2, after.Data["timeline"]);
            Assert.Contains($"from {Host(cluster, 0)} to {Host(cluster, 1)}", (string)after.Data["lastFailover"]);
        }
    }

    [TestMethod]
    public async Task A_host_that_falls_silent_is_not_waited_for_longer_than_its_limit()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var provider = Provider(
            builder => builder.UseNpgsql($"{bed.ConnectionString};Timeout=300"), options => options.FailoverTimeout = TimeSpan.FromHours(1));
        bed.Proxy.IgnoreConnections();

        // With a wait of any other kind the test would never end.
        var report = await CheckAsync(provider, HealthStatus.Unhealthy);

        Assert.Contains("does not answer (it did not answer within 1 s)", report.Description!);
    }

    [TestMethod]
    [DataRow("data source")]
    [DataRow("connection")]
    public async Task A_single_host_is_asked_as_the_context_would(string wiring)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var dataSource = NpgsqlDataSource.Create(bed.ConnectionString);
        await using var connection = new NpgsqlConnection(bed.ConnectionString);
        await using var provider = Provider(builder => _ = wiring == "connection" ? builder.UseNpgsql(connection) : builder.UseNpgsql(dataSource));

        Assert.AreEqual("Sessions of the kind Any can be served; 1 of 1 hosts answer.", (await CheckAsync(provider, HealthStatus.Healthy)).Description);
    }

    [TestMethod]
    public async Task A_context_that_only_a_factory_makes_can_be_checked()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var services = new ServiceCollection().AddLogging();
        services.AddPooledDbContextFactory<CounterContext>(builder => builder.UseNpgsql(bed.ConnectionString).UseDbRetry());
        services.AddHealthChecks().AddDbRetryHealthCheck<CounterContext>("shop", HealthStatus.Degraded, ["ready"]);
        await using var provider = services.BuildServiceProvider();

        var report = await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync(check => check.Tags.Contains("ready"), Cancellation);
        Assert.AreEqual(HealthStatus.Healthy, report.Entries["shop"].Status);

        bed.Proxy.RefuseConnections();
        report = await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync(Cancellation);
        Assert.AreEqual(HealthStatus.Degraded, report.Entries["shop"].Status, "As the registration wants.");
    }

    [TestMethod]
    public void A_primary_that_was_replaced_degrades_the_cluster()
    {
        var status = new ClusterStatus(
            TargetSession.ReadWrite,
            [new HostStatus("a:5432", HostRole.SupersededPrimary, 1, null), new HostStatus("b:5432", HostRole.Primary, 2, null)],
            CanServe: true,
            LatestFailover: null);

        var result = ClusterHealth.Judge(status, HealthStatus.Unhealthy);

        Assert.AreEqual(HealthStatus.Degraded, result.Status);
        Assert.AreEqual(2, result.Data["timeline"]);
        Assert.Contains("a:5432 accepts writes although another primary has taken its place", result.Description!);
    }

    [TestMethod]
    public async Task The_status_of_a_cluster_can_be_cancelled_and_needs_a_limit()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context();
        await Assert.ThrowsExactlyAsync<ArgumentOutOfRangeException>(() => context.Database.GetClusterStatusAsync(TimeSpan.Zero, Cancellation));
        await Assert.ThrowsAsync<OperationCanceledException>(() => context.Database.GetClusterStatusAsync(cancellationToken: new CancellationToken(canceled: true)));
    }

    private static string Host(LocalCluster cluster, int node) => $"127.0.0.1:{cluster.Port(node)}";

    private static ServiceProvider Provider(Action<DbContextOptionsBuilder> use, Action<DbRetryOptions>? configure = null)
    {
        var services = new ServiceCollection().AddLogging();
        services.AddDbContext<CounterContext>(builder =>
        {
            use(builder);
            builder.UseDbRetry(options => options.HostTimeout = TimeSpan.FromSeconds(20)).UseDbRetry(configure);
        });
        services.AddHealthChecks().AddDbRetryHealthCheck<CounterContext>(timeout: TimeSpan.FromSeconds(configure is null ? 20 : 1));
        return services.BuildServiceProvider();
    }

    private async Task<HealthReportEntry> CheckAsync(ServiceProvider provider, HealthStatus expected)
    {
        var report = await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync(Cancellation);
        var entry = report.Entries[nameof(CounterContext)];
        Assert.AreEqual(expected, entry.Status, entry.Description);
        Assert.DoesNotContain("s3cret", $"{entry.Description}{string.Join(' ', entry.Data.Values)}{entry.Exception}");
        return entry;
    }
}
