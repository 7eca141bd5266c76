using DbRetry.EFCore.Hosts;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>Which of several hosts that take writes a cluster takes for its primary.</summary>
[TestClass]
public sealed class PrimaryTimelineTests
{
    private readonly Cluster _cluster = FakeRoute.Hosts(3);

    [TestMethod]
    public void A_primary_with_a_higher_timeline_takes_the_place_of_the_one_before()
    {
        Assert.AreEqual(HostRole.Primary, _cluster.Saw(0, On(4)));
        Assert.AreEqual(HostRole.Primary, _cluster.Saw(1, On(5)));
        Assert.AreEqual(1, _cluster.Primary);
        Assert.AreEqual(HostRole.SupersededPrimary, _cluster[0].Role);

        Assert.AreEqual(HostRole.SupersededPrimary, _cluster.Saw(0, HostRole.Primary), "Its connections still report that it takes writes.");
        Assert.AreEqual(1, _cluster.Primary);
    }

    [TestMethod]
    public void One_with_a_lower_timeline_is_no_primary_even_if_there_is_no_other()
    {
        _cluster.Saw(1, On(5));
        _cluster.Forget(1);
        Assert.AreEqual(HostRole.SupersededPrimary, _cluster.Saw(0, On(4)));
        Assert.AreEqual(-1, _cluster.Primary);
    }

    [TestMethod]
    public void One_whose_timeline_is_not_known_is_not_taken_for_the_primary_where_others_told_theirs()
    {
        _cluster.Saw(1, On(5));
        _cluster.Forget(1);
        Assert.AreEqual(HostRole.Primary, _cluster.Saw(0, HostRole.Primary));
        Assert.AreEqual(-1, _cluster.Primary);
        _cluster.Saw(0, On(6));
        Assert.AreEqual(0, _cluster.Primary);
    }

    [TestMethod]
    public void Of_two_primaries_on_the_same_timeline_the_one_in_use_stays()
    {
        _cluster.Saw(0, On(5));
        _cluster.Saw(1, On(5));
        Assert.AreEqual(0, _cluster.Primary);
        _cluster.Forget(0);
        _cluster.Saw(1, On(5));
        Assert.AreEqual(1, _cluster.Primary);
    }

    [TestMethod]
    public void One_that_was_replaced_and_came_back_as_a_standby_may_be_promoted_again()
    {
        _cluster.Saw(0, On(4));
        _cluster.Saw(1, On(5));
        _cluster.Saw(0, HostRole.Standby);
        Assert.AreEqual(HostRole.Standby, _cluster[0].Role);
        _cluster.Saw(0, On(6));
        Assert.AreEqual(0, _cluster.Primary);
        Assert.AreEqual(HostRole.SupersededPrimary, _cluster[1].Role);
    }

    [TestMethod]
    public void A_cluster_that_was_made_anew_begins_its_timelines_anew()
    {
        _cluster.Saw(0, On(5));
        _cluster.Forget(0);
        Assert.AreEqual(HostRole.Primary, _cluster.Saw(0, On(1, system: 2)));
        Assert.AreEqual(0, _cluster.Primary);
    }

    [TestMethod]
    public void A_transaction_tells_which_timeline_is_the_newest()
    {
        _cluster.Saw(0, On(4));
        Assert.IsTrue(_cluster.Advance(new ServerTimeline(1, 4)));
        Assert.IsTrue(_cluster.Advance(new ServerTimeline(1, 5)));
        Assert.IsFalse(_cluster.Advance(new ServerTimeline(1, 4)));
        Assert.AreEqual(-1, _cluster.Primary);
    }

    private static HostSighting On(int timeline, long system = 1) => new(HostRole.Primary, new ServerTimeline(system, timeline));
}
