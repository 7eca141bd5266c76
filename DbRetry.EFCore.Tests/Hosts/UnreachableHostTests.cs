using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts;

[TestClass]
public sealed class UnreachableHostTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_dead_host_fails_no_open_wherever_it_stands(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        bed.Nodes[1].RefuseConnections();
        for (var i = 0; i < 10; i++)
        {
            await using var reader = HostBed.Context(
                $"{bed.Through(1, 0, 2)};Pooling=false", Once(options => options.TargetSession = TargetSession.PreferStandby));
            Assert.AreEqual(2, await reader.NodeAsync(bed.Cluster, async, Cancellation));
            await using var writer = HostBed.Context($"{bed.Through(1, 2, 0)};Pooling=false", Once());
            Assert.AreEqual(0, await writer.NodeAsync(bed.Cluster, async, Cancellation));
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_host_that_does_not_answer_fails_no_open_and_holds_up_one_at_most(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        bed.Nodes[1].IgnoreConnections();
        for (var i = 0; i < 10; i++)
        {
            await using var context = HostBed.Context(
                $"{bed.ConnectionString};Pooling=false",
                Once(options =>
                {
                    options.TargetSession = TargetSession.PreferStandby;
                    options.HostTimeout = TimeSpan.FromSeconds(3);
                }));
            Assert.AreEqual(2, await context.NodeAsync(bed.Cluster, async, Cancellation));
        }

        // Ten opens would come by it five times. It is left out for five seconds once it is known.
        Assert.IsLessThanOrEqualTo(2, bed.Nodes[1].ConnectionCount);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task When_all_hosts_are_down_the_error_names_each_one_and_why(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        bed.Nodes[0].RefuseConnections();
        bed.Nodes[1].IgnoreConnections();
        bed.Nodes[2].RefuseConnections();
        var log = new List<string>();
        await using var context = HostBed.Context(
            $"{bed.ConnectionString};Password=open-sesame",
            options =>
            {
                options.FailoverTimeout = TimeSpan.FromMilliseconds(200);
                options.HostTimeout = TimeSpan.FromSeconds(1);
            },
            builder => builder.EnableDetailedErrors().EnableSensitiveDataLogging().LogTo(log.Add));

        var error = await Assert.ThrowsAsync<RetryLimitExceededException>(() => context.PortAsync(async, Cancellation));

        var hosts = Assert.IsInstanceOfType<NoSuitableHostException>(error.InnerException).Hosts;
        CollectionAssert.AreEquivalent(bed.Nodes.Select(node => $"127.0.0.1:{node.Port}").ToArray(), hosts.Select(host => host.Host).ToArray());
        var reasons = hosts.ToDictionary(host => host.Host, host => host.Reason);
        Assert.AreEqual("the host cannot be reached", reasons[$"127.0.0.1:{bed.Nodes[0].Port}"]);
        Assert.AreEqual("the host did not accept a connection in time", reasons[$"127.0.0.1:{bed.Nodes[1].Port}"]);
        Assert.IsTrue(hosts.All(host => error.ToString().Contains(host.Host)));
        Assert.DoesNotContain("open-sesame", error.ToString());
        Assert.IsNotEmpty(log);
        Assert.DoesNotContain("open-sesame", string.Concat(log));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_time_for_a_failover_is_waited_once_and_not_once_per_attempt(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        bed.Nodes.ToList().ForEach(node => node.RefuseConnections());
        var retries = new List<string>();
        await using var watched = HostBed.Context(
            bed.ConnectionString,
            options => options.FailoverTimeout = TimeSpan.FromMilliseconds(300),
            builder => builder.LogTo(retries.Add, [CoreEventId.ExecutionStrategyRetrying]));

        await Assert.ThrowsAsync<RetryLimitExceededException>(() => watched.PortAsync(async, Cancellation));

        Assert.IsEmpty(retries, "All the time was spent inside the first open.");
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Hosts_that_come_back_within_the_time_are_not_noticed_by_the_caller(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        bed.Nodes.ToList().ForEach(node => node.RefuseConnections());
        await using var context = HostBed.Context(bed.ConnectionString);
        var back = Task.Run(
            async () =>
            {
                await Task.Delay(150, Cancellation);
                bed.Nodes.ToList().ForEach(node => node.AcceptConnections());
            },
            Cancellation);

        Assert.AreEqual(0, await context.NodeAsync(bed.Cluster, async, Cancellation));
        await back;
    }

    [TestMethod]
    public async Task A_caller_who_cancels_while_no_host_answers_is_heard()
    {
        await using var bed = await HostProxies.CreateAsync();
        bed.Nodes.ToList().ForEach(node => node.IgnoreConnections());
        var context = HostBed.Context(bed.ConnectionString, options => options.HostTimeout = TimeSpan.FromSeconds(1));
        var source = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var work = context.PortAsync(async: true, source.Token);
        while (bed.Nodes.Sum(node => node.ConnectionCount) == 0)
        {
            await Task.Delay(5, Cancellation);
        }

        await source.CancelAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(() => work);
        Assert.IsLessThanOrEqualTo(3, bed.Nodes.Sum(node => node.ConnectionCount), "Each host was probed once, and none was tried.");
        await context.DisposeAsync();
        source.Dispose();
    }

    [TestMethod]
    public async Task A_caller_who_cancels_between_two_looks_for_a_host_is_heard()
    {
        await using var bed = await HostProxies.CreateAsync();
        bed.Nodes.ToList().ForEach(node => node.RefuseConnections());
        await using var context = HostBed.Context(bed.ConnectionString, options => options.ReconnectDelay = options.MaxReconnectDelay = TimeSpan.FromHours(1));
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        source.CancelAfter(TimeSpan.FromMilliseconds(100));
        await Assert.ThrowsAsync<OperationCanceledException>(() => context.PortAsync(async: true, source.Token));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_database_that_does_not_exist_surfaces_as_itself(bool async)
    {
        await using var bed = await HostProxies.CreateAsync(database: "there_is_no_such_database");
        await using var context = HostBed.Context(bed.ConnectionString);
        var error = await Assert.ThrowsExactlyAsync<PostgresException>(() => context.PortAsync(async, Cancellation));
        Assert.AreEqual(PostgresErrorCodes.InvalidCatalogName, error.SqlState);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_database_that_only_the_primary_has_yet_is_read_there(bool async)
    {
        // A standby that lags behind, played by a proxy that leads to another server.
        await using var bed = await HostProxies.CreateAsync();
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        var single = await SharedCluster.SingleAsync();
        bed.Nodes[0].Target = FaultProxy.EndPointOf(single.NodeConnectionString(0));
        var dsn = new NpgsqlConnectionStringBuilder(bed.ConnectionString) { Database = database.Name }.ConnectionString;
        await using var context = HostBed.Context(dsn, options => options.TargetSession = TargetSession.PreferStandby);

        Assert.AreEqual(single.Port(0), await context.PortAsync(async, Cancellation));
    }

    private static Action<DbRetryOptions> Once(Action<DbRetryOptions>? configure = null) => options =>
    {
        options.MaxRetryCount = 0;
        configure?.Invoke(options);
    };
}
