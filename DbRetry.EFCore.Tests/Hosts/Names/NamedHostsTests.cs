using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Names;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Cluster;

namespace DbRetry.EFCore.Tests.Hosts.Names;

/// <summary>When names are resolved, and what follows from the answer.</summary>
[TestClass]
public sealed class NamedHostsTests
{
    private static readonly HostSighting Primary = HostRole.Primary;

    private readonly ManualTime _time = new();
    private readonly StaticNames _names = new();
    private readonly string _name = $"named-{Guid.NewGuid():N}";
    private readonly NamedHosts _hosts;

    public NamedHostsTests()
    {
        StaticNames.Set(_name, "10.0.0.1", "10.0.0.2");
        _hosts = new NamedHosts(
            [new HostEndpoint(_name, 5432)], _names, _time, static (hosts, _) => new FakeRoute(new Cluster(hosts), target: TargetSession.ReadWrite));
    }

    public required TestContext TestContext { get; set; }

    [TestCleanup]
    public void Forget() => StaticNames.Remove(_name);

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Names_are_resolved_before_the_first_open_and_not_again_while_all_is_well(bool async)
    {
        Assert.HasCount(1, _hosts.Route.Cluster.Hosts);

        var route = await LookUpAsync(async);
        Assert.HasCount(2, route.Cluster.Hosts);
        Assert.AreSame(route, _hosts.Route);

        route.Cluster.Saw(0, Primary);
        _time.Advance(TimeSpan.FromDays(1));
        Assert.AreSame(route, await LookUpAsync(async));
        Assert.AreEqual(1, _names.Asked);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task While_no_primary_is_known_names_are_resolved_once_a_second(bool async)
    {
        var route = await LookUpAsync(async);
        await LookUpAsync(async);
        Assert.AreEqual(1, _names.Asked);

        _time.Advance(NamedHosts.Rest);
        await LookUpAsync(async);
        Assert.AreSame(route, await LookUpAsync(async));
        Assert.AreEqual(2, _names.Asked);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task While_a_standby_does_not_answer_names_are_resolved_every_ten_seconds(bool async)
    {
        var route = await LookUpAsync(async);
        route.Cluster.Saw(0, Primary);
        route.Cluster.Failed(1, stalled: false, _time);

        _time.Advance(NamedHosts.LongRest - TimeSpan.FromMilliseconds(1));
        await LookUpAsync(async);
        Assert.AreEqual(1, _names.Asked);

        _time.Advance(TimeSpan.FromMilliseconds(1));
        await LookUpAsync(async);
        await LookUpAsync(async);
        await Poll.UntilAsync(() => _names.Asked == 2, TimeSpan.FromSeconds(30), () => $"asked {_names.Asked} times", TestContext.CancellationToken);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task While_a_standby_does_not_answer_no_open_waits_for_the_resolver(bool async)
    {
        var route = await LookUpAsync(async);
        route.Cluster.Saw(0, Primary);
        route.Cluster.Failed(1, stalled: true, _time);
        StaticNames.Set(_name, "10.0.0.1", "10.0.0.3");
        var answer = new TaskCompletionSource();
        _names.Answers = answer.Task;

        _time.Advance(NamedHosts.LongRest);
        Assert.AreSame(route, await LookUpAsync(async).WaitAsync(TimeSpan.FromSeconds(30), TestContext.CancellationToken), "What is known serves.");

        answer.SetResult();
        await Poll.UntilAsync(
            () => _hosts.Route.Cluster.Hosts[1].Host == "10.0.0.3", TimeSpan.FromSeconds(30), () => "nobody has asked", TestContext.CancellationToken);
    }

    [TestMethod]
    public void Other_addresses_are_another_cluster_that_knows_the_newest_timeline()
    {
        var old = _hosts.LookUp();
        var timeline = new ServerTimeline(SystemIdentifier: 7, Timeline: 3);
        old.Cluster.Saw(0, Primary with { Timeline = timeline });
        old.Cluster.Forget(0);
        StaticNames.Set(_name, "10.0.0.2", "10.0.0.3");

        _time.Advance(NamedHosts.Rest);
        var route = _hosts.LookUp();

        Assert.AreNotSame(old, route);
        Assert.AreEqual("10.0.0.3", route.Cluster.Hosts[1].Host);
        Assert.AreEqual(timeline, route.Cluster.NewestTimeline);
    }

    [TestMethod]
    public void A_name_that_cannot_be_resolved_keeps_the_addresses_it_had()
    {
        var route = _hosts.LookUp();
        StaticNames.Remove(_name);

        _time.Advance(NamedHosts.Rest);

        Assert.AreSame(route, _hosts.LookUp());
        Assert.AreEqual(2, _names.Asked);
    }

    [TestMethod]
    [DataRow("Host=db;Password=x", null, false, DisplayName = "any server will do, and Npgsql tries all addresses")]
    [DataRow("Host=db;Password=x", TargetSession.Primary, true)]
    [DataRow("Host=db,other;Password=x", null, true)]
    [DataRow("Host=db,other", null, false, DisplayName = "a password file knows servers by name")]
    [DataRow("Host=10.0.0.1,10.0.0.2;Password=x", null, false)]
    public void Names_matter_where_servers_differ_and_can_be_reached_by_address(string connectionString, TargetSession? declared, bool resolved)
    {
        StaticNames.Set("db", "10.0.0.1", "10.0.0.2");
        var route = ConnectionStringRoute.Get(
            $"{connectionString};Application Name=names", declared, RetrySettings.From(new DbRetryOptions()), _names, _time);
        Assert.AreEqual(resolved, route.LookUp().Cluster.Hosts.Any(host => host.Name == "db"));
    }

    private async Task<HostRoute> LookUpAsync(bool async) => async ? await _hosts.LookUpAsync(TestContext.CancellationToken) : _hosts.LookUp();
}
