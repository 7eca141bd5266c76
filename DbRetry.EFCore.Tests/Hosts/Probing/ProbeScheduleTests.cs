using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Probing;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;

namespace DbRetry.EFCore.Tests.Hosts.Probing;

[TestClass]
public sealed class ProbeScheduleTests
{
    private static readonly RetrySettings Settings = RetrySettings.From(new DbRetryOptions());

    private readonly ManualTime _time = new();
    private readonly ProbeSchedule _schedule = new(3);
    private readonly FakeRoute _route = new(FakeRoute.Hosts(3)) { Probe = (_, _) => Task.FromResult<HostSighting?>(null) };

    [TestMethod]
    [DataRow(0.0, 0.0, 5.0)]
    [DataRow(0.0, 1.0, 10.0)]
    [DataRow(11.0, 1.0, 10.0)]
    [DataRow(20.0, 0.0, 50.0)]
    [DataRow(20.0, 1.0, 100.0)]
    [DataRow(60.0, 1.0, 500.0)]
    [DataRow(3600.0, 0.0, 250.0)]
    [DataRow(3600.0, 1.0, 500.0)]
    public void Pauses_are_short_at_first_and_grow_with_the_outage_up_to_their_cap(double seconds, double random, double milliseconds)
        => Assert.AreEqual(milliseconds, ProbeSchedule.Pause(TimeSpan.FromSeconds(seconds), random).TotalMilliseconds, 1e-6);

    [TestMethod]
    [DataRow(nameof(TargetSession.ReadWrite), nameof(HostRole.Primary), true)]
    [DataRow(nameof(TargetSession.ReadWrite), nameof(HostRole.ReadOnlyPrimary), false)]
    [DataRow(nameof(TargetSession.ReadWrite), nameof(HostRole.Standby), false)]
    [DataRow(nameof(TargetSession.ReadWrite), null, false)]
    [DataRow(nameof(TargetSession.Primary), nameof(HostRole.ReadOnlyPrimary), true)]
    [DataRow(nameof(TargetSession.Standby), nameof(HostRole.Standby), true)]
    [DataRow(nameof(TargetSession.Standby), nameof(HostRole.Primary), false)]
    [DataRow(nameof(TargetSession.PreferStandby), nameof(HostRole.Primary), true)]
    [DataRow(nameof(TargetSession.Any), nameof(HostRole.Standby), true)]
    [DataRow(nameof(TargetSession.Any), null, true)]
    public void A_waiter_is_woken_by_a_host_that_may_serve_it(string target, string? role, bool woken)
    {
        var waiter = Enter(Enum.Parse<TargetSession>(target));
        var seen = _schedule.Seen(role is null ? null : Enum.Parse<HostRole>(role));
        CollectionAssert.AreEqual(woken ? new[] { waiter } : [], seen.ToArray());
        Assert.AreEqual(woken ? 0 : 1, _schedule.Waiting);
    }

    [TestMethod]
    public void A_waiter_whose_last_news_was_in_vain_rests_first()
    {
        var waiter = Enter(TargetSession.ReadWrite, TimeSpan.FromMilliseconds(40));
        Assert.IsEmpty(_schedule.Seen(HostRole.Primary));
        _time.Advance(TimeSpan.FromMilliseconds(40));
        Assert.AreSame(waiter, _schedule.Seen(HostRole.Primary).Single());
    }

    [TestMethod]
    public void A_round_asks_every_host_whose_last_answer_is_there()
    {
        CollectionAssert.AreEquivalent(new[] { 0, 1, 2 }, _schedule.Begin(new Random(1)));
        Assert.IsEmpty(_schedule.Begin(new Random(1)));
        _schedule.Ended(1, failed: false);
        CollectionAssert.AreEqual(new[] { 1 }, _schedule.Begin(new Random(1)));
    }

    [TestMethod]
    public void A_host_that_could_not_be_asked_is_left_in_peace_for_a_round()
    {
        _schedule.Begin(new Random(1));
        _schedule.Ended(0, failed: true);
        _schedule.Ended(1, failed: false);
        CollectionAssert.AreEqual(new[] { 1 }, _schedule.Begin(new Random(1)));
        _schedule.Ended(1, failed: false);
        CollectionAssert.AreEquivalent(new[] { 0, 1 }, _schedule.Begin(new Random(1)));
        _schedule.Ended(0, failed: true);
        _schedule.Ended(1, failed: true);
        _schedule.Restart();
        CollectionAssert.AreEquivalent(new[] { 0, 1 }, _schedule.Begin(new Random(1)), "Whoever begins to wait has heard nothing.");
    }

    [TestMethod]
    public void Hosts_are_asked_in_any_order()
    {
        var random = new Random(1);
        var firsts = new HashSet<int>();
        for (var i = 0; i < 100; i++)
        {
            var round = _schedule.Begin(random);
            firsts.Add(round[0]);
            Array.ForEach(round, host => _schedule.Ended(host, failed: false));
        }

        Assert.HasCount(3, firsts);
    }

    [TestMethod]
    public void The_one_who_waits_longest_leads_and_the_next_one_after_him()
    {
        var cannot = new HostWaiter(null, new FakeRoute(FakeRoute.Hosts(3)), TargetSession.Any, Settings, TimeSpan.Zero, _time, blocking: false);
        _schedule.Enter(cannot);
        Assert.IsNull(_schedule.Leader, "Nobody probes in the place of one whose route cannot.");
        var (first, second) = (Enter(TargetSession.Any), Enter(TargetSession.Any));
        Assert.AreSame(first, _schedule.Leader);
        _schedule.Leave(first);
        _schedule.Leave(first);
        Assert.AreSame(second, _schedule.Leader);
        _schedule.Leave(second);
        Assert.IsNull(_schedule.Leader);
        Assert.AreEqual(1, _schedule.Waiting);
    }

    [TestMethod]
    public void Those_of_a_route_that_was_turned_away_are_woken_and_no_others()
    {
        var waiter = Enter(TargetSession.ReadWrite);
        Assert.IsEmpty(_schedule.TurnedAway(new FakeRoute(_route.Cluster)));
        Assert.AreSame(waiter, _schedule.TurnedAway(_route).Single());
    }

    private HostWaiter Enter(TargetSession target, TimeSpan rest = default)
    {
        var waiter = new HostWaiter(null, _route, target, Settings, rest, _time, blocking: false);
        _schedule.Enter(waiter);
        return waiter;
    }
}
