using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;

namespace DbRetry.EFCore.Tests.Hosts;

[TestClass]
public sealed class ClusterTests
{
    private readonly ManualTime _time = new();
    private readonly Cluster _cluster = FakeRoute.Hosts(3);

    [TestMethod]
    public void Of_a_new_cluster_nothing_is_known()
    {
        Assert.AreEqual(-1, _cluster.Primary);
        Assert.AreEqual("a:5432,b:5432,c:5432", _cluster.Name);
        Assert.AreEqual(HostKnowledge.Nothing, _cluster[2]);
    }

    [TestMethod]
    public void The_host_that_was_last_seen_to_take_writes_is_the_primary()
    {
        _cluster.Saw(0, HostRole.Primary);
        _cluster.Saw(1, HostRole.Standby);
        Assert.AreEqual(0, _cluster.Primary);

        _cluster.Saw(1, HostRole.Primary);
        Assert.AreEqual(1, _cluster.Primary);
        Assert.AreEqual(HostRole.Primary, _cluster[1].Role);
    }

    [TestMethod]
    [DataRow("Standby")]
    [DataRow("ReadOnlyPrimary")]
    public void A_primary_that_is_seen_in_another_role_is_the_primary_no_more(string role)
    {
        _cluster.Saw(0, HostRole.Primary);
        _cluster.Saw(0, Enum.Parse<HostRole>(role));
        Assert.AreEqual(-1, _cluster.Primary);
    }

    [TestMethod]
    public void What_is_seen_of_one_host_says_nothing_of_another()
    {
        _cluster.Saw(0, HostRole.Primary);
        _cluster.Saw(1, HostRole.Standby);
        _cluster.Failed(2, stalled: false, _time);
        _cluster.Forget(1);
        Assert.AreEqual(0, _cluster.Primary);
        Assert.AreEqual(HostRole.Primary, _cluster[0].Role);
    }

    [TestMethod]
    public void A_former_primary_is_looked_at_by_one_at_a_time()
    {
        _cluster.Saw(0, HostRole.Primary);
        Assert.IsFalse(_cluster.TakeLookAtFormerPrimary(0, _time));
        _cluster.Saw(1, HostRole.Standby);
        _cluster.Saw(2, HostRole.Primary);
        Assert.AreEqual(2, _cluster.Primary);
        Assert.IsTrue(_cluster.TakeLookAtFormerPrimary(0, _time));
        Assert.IsFalse(_cluster.TakeLookAtFormerPrimary(0, _time));
        Assert.IsFalse(_cluster.TakeLookAtFormerPrimary(1, _time));
        Assert.IsFalse(_cluster.TakeLookAtFormerPrimary(2, _time));
        _time.Advance(Cluster.RefusalPenalty);
        Assert.IsTrue(_cluster.TakeLookAtFormerPrimary(0, _time));

        _cluster.Saw(0, HostRole.Standby);
        _time.Advance(Cluster.RefusalPenalty);
        Assert.IsFalse(_cluster.TakeLookAtFormerPrimary(0, _time));
    }

    [TestMethod]
    [DataRow(false, 1.0)]
    [DataRow(true, 5.0)]
    public void A_host_that_failed_is_avoided_for_a_while(bool stalled, double seconds)
    {
        _cluster.Saw(0, HostRole.Primary);
        _cluster.Failed(0, stalled, _time);

        Assert.AreEqual(-1, _cluster.Primary);
        Assert.IsNull(_cluster[0].Role);
        Assert.AreEqual(stalled, _cluster[0].Stalled);
        _time.Advance(TimeSpan.FromSeconds(seconds) - TimeSpan.FromMilliseconds(1));
        Assert.IsTrue(_cluster[0].IsAvoided(_time.GetTimestamp()));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.IsFalse(_cluster[0].IsAvoided(_time.GetTimestamp()));
    }

    [TestMethod]
    public void A_host_that_did_not_answer_is_tried_by_one_at_a_time()
    {
        _cluster.Failed(0, stalled: true, _time);
        _time.Advance(Cluster.StallPenalty);
        Assert.IsFalse(_cluster[0].IsAvoided(_time.GetTimestamp()));

        _cluster.Trying(0, _time);
        Assert.IsTrue(_cluster[0].IsAvoided(_time.GetTimestamp()));
    }

    [TestMethod]
    public void A_host_that_refused_is_tried_by_all_who_like()
    {
        _cluster.Failed(0, stalled: false, _time);
        _time.Advance(Cluster.RefusalPenalty);
        _cluster.Trying(0, _time);
        _cluster.Trying(1, _time);
        Assert.IsFalse(_cluster[0].IsAvoided(_time.GetTimestamp()));
        Assert.AreEqual(HostKnowledge.Nothing, _cluster[1]);
    }

    [TestMethod]
    public void A_host_that_is_seen_again_is_healthy()
    {
        _cluster.Failed(0, stalled: true, _time);
        _cluster.Saw(0, HostRole.Standby);
        Assert.AreEqual(new HostKnowledge(HostRole.Standby, null, null, false), _cluster[0]);
    }

    [TestMethod]
    public void What_was_asked_of_a_session_is_remembered_until_a_host_is_lost()
    {
        _cluster.NoteSession(1, 4711, HostRole.Standby);
        Assert.AreEqual(HostRole.Standby, _cluster.SessionRole(1, 4711));
        Assert.IsNull(_cluster.SessionRole(1, 4712));
        Assert.IsNull(_cluster.SessionRole(0, 4711));

        _cluster.Forget(0);
        Assert.IsNull(_cluster.SessionRole(1, 4711));
    }

    [TestMethod]
    public void Remembered_sessions_do_not_grow_without_bound()
    {
        for (var process = 0; process < 10_001; process++)
        {
            _cluster.NoteSession(0, process, HostRole.Primary);
        }

        Assert.IsNull(_cluster.SessionRole(0, 0));
        Assert.AreEqual(HostRole.Primary, _cluster.SessionRole(0, 10_000));
    }

    [TestMethod]
    public void Contexts_that_allow_the_same_number_of_retries_share_one_budget()
    {
        Assert.IsTrue(_cluster.TryTakeRetry(1, _time));
        Assert.IsFalse(_cluster.TryTakeRetry(1, _time));
        Assert.IsTrue(_cluster.TryTakeRetry(2, _time));
        Assert.IsTrue(FakeRoute.Hosts(3).TryTakeRetry(1, _time));
    }

    [TestMethod]
    public void A_lost_host_loses_its_pool_and_what_was_known_of_it()
    {
        var route = new FakeRoute(_cluster);
        _cluster.Saw(1, HostRole.Primary);
        var host = new HostRef(route, 1);

        host.Distrust();

        Assert.AreEqual("b:5432", host.ToString());
        CollectionAssert.AreEqual(new[] { 1 }, route.Cleared);
        Assert.AreEqual(-1, _cluster.Primary);
        Assert.AreEqual(HostKnowledge.Nothing, _cluster[1]);
    }
}

[TestClass]
public sealed class ClusterRegistryTests
{
    [TestMethod]
    [DataRow("registry-b:2", "REGISTRY-A:1", "registry-a:1", "Registry-B:2", DisplayName = "another order and other letters")]
    [DataRow("registry-a:1", "registry-a:1", "registry-a:1", null, DisplayName = "a repetition")]
    public void The_same_hosts_are_the_same_cluster(string first, string second, string third, string? fourth)
        => Assert.AreSame(Get(first, second), fourth is null ? Get(third) : Get(third, fourth));

    [TestMethod]
    public void Other_ports_are_another_cluster() => Assert.AreNotSame(Get("registry-a:1"), Get("registry-a:2"));

    [TestMethod]
    public void Names_are_put_into_lower_case_and_paths_are_not()
    {
        Assert.AreEqual("registry-a", ClusterRegistry.Normalise(new("Registry-A", 1)).Host);
        Assert.AreEqual("/Tmp/X", ClusterRegistry.Normalise(new("/Tmp/X", 1)).Host);
    }

    [TestMethod]
    public void Two_DSNs_with_the_same_hosts_share_what_is_known_and_keep_what_they_want()
    {
        var settings = RetrySettings.From(new DbRetryOptions());
        var one = ConnectionStringRoute.Get("Host=registry-x,registry-y:6;Database=one;Target Session Attributes=standby", null, settings, names: null, TimeProvider.System);
        var other = ConnectionStringRoute.Get("Host=registry-y:6,registry-x;Database=other", null, settings, names: null, TimeProvider.System);

        Assert.AreSame(one.Cluster, other.Cluster);
        Assert.AreEqual(TargetSession.Standby, one.Target);
        Assert.AreEqual(TargetSession.ReadWrite, other.Target);
        Assert.AreSame(one, ConnectionStringRoute.Get("Host=registry-x,registry-y:6;Database=one;Target Session Attributes=standby", null, settings, names: null, TimeProvider.System));
    }

    private static Cluster Get(params string[] hosts)
        => ClusterRegistry.Get(hosts.Select(host => new HostEndpoint(host.Split(':')[0], int.Parse(host.Split(':')[1]))));
}
