using DbRetry.EFCore.Hosts.Names;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts.Names;

/// <summary>One name for the servers of a cluster, each of which has an address of its own and the same port.</summary>
[TestClass]
public sealed class HostNameTests
{
    private static LocalCluster? _cluster;
    private static FaultProxy? _first;
    private static FaultProxy? _second;

    private readonly string _name = $"name-{Guid.NewGuid():N}";

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    private static LocalCluster Cluster => _cluster!;

    [ClassInitialize]
    public static async Task StartAsync(TestContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (SharedCluster.ExternalServer is not null || !OperatingSystem.IsLinux())
        {
            return; // Each test says what it needs.
        }

        _cluster = await SharedCluster.OwnAsync(new LocalClusterOptions { Nodes = 2 }, context.CancellationToken);
        _first = FaultProxy.Start(_cluster.NodeConnectionString(0));
        _second = _first.StartBeside(_cluster.NodeConnectionString(1), "127.0.0.2");
    }

    [ClassCleanup]
    public static async Task StopAsync()
    {
        if (_cluster is not null)
        {
            await _second!.DisposeAsync();
            await _first!.DisposeAsync();
            await _cluster.DisposeAsync();
        }
    }

    [TestInitialize]
    public void RequireLocalAddresses() => SharedCluster.RequireLocalAddresses();

    [TestCleanup]
    public void Forget() => StaticNames.Remove(_name);

    [TestMethod]
    [DataRow("127.0.0.1 127.0.0.2", false)]
    [DataRow("127.0.0.2 127.0.0.1", true)]
    public async Task Each_address_of_a_name_is_a_host(string addresses, bool async)
    {
        StaticNames.Set(_name, addresses.Split(' '));
        await using var writer = Context("primary");
        await using var reader = Context("standby");
        for (var i = 0; i < 2; i++)
        {
            Assert.AreEqual(Cluster.PrimaryIndex, await writer.NodeAsync(Cluster, async, Cancellation));
            Assert.AreEqual(1 - Cluster.PrimaryIndex, await reader.NodeAsync(Cluster, async, Cancellation));
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_standby_behind_the_same_name_is_found_when_it_is_promoted(bool async)
    {
        StaticNames.Set(_name, "127.0.0.1", "127.0.0.2");
        var old = Cluster.PrimaryIndex;
        Assert.AreEqual(old, await PrimaryAsync(async));

        await Cluster.KillAsync(old, Cancellation);
        var work = PrimaryAsync(async);
        await Cluster.PromoteAsync(1 - old, Cancellation);

        Assert.AreEqual(1 - old, await work);
        await Cluster.RejoinAsync(old, Cancellation);
    }

    [TestMethod]
    [DataRow("127.0.0.3", false)]
    [DataRow("127.0.0.3", true)]
    [DataRow("127.0.0.3 127.0.0.4", false)]
    [DataRow("127.0.0.3 127.0.0.4", true)]
    public async Task Who_waits_follows_a_name_to_other_addresses(string nobodysAddresses, bool async)
    {
        StaticNames.Set(_name, nobodysAddresses.Split(' '));
        var work = PrimaryAsync(async);
        await Task.Delay(1500, Cancellation);
        Assert.IsFalse(work.IsCompleted);

        StaticNames.Set(_name, "127.0.0.2", "127.0.0.1");

        Assert.AreEqual(Cluster.PrimaryIndex, await work);
    }

    private async Task<int> PrimaryAsync(bool async)
    {
        await using var context = Context("primary");
        return await Task.Run(() => context.NodeAsync(Cluster, async, Cancellation), Cancellation);
    }

    // The password is not asked for: it is what lets a server be reached by its address.
    private CounterContext Context(string target)
        => HostBed.Context(
            new NpgsqlConnectionStringBuilder(Cluster.NodeConnectionString(0))
            {
                Host = _name,
                Port = _first!.Port,
                Password = "irrelevant",
                TargetSessionAttributes = target,
                ApplicationName = _name,
            }.ConnectionString,
            static options => options.FailoverTimeout = TimeSpan.FromMinutes(1),
            static builder => builder.ReplaceService<IHostNames, StaticNames>());
}
