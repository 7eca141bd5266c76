
namespace DbRetry.EFCore.Tests.Hosts;

[TestClass]
public sealed class OpenSearchTimeTests
{
    [TestMethod]
    public void All_waits_together_last_as_long_as_the_budget()
    {
        var bed = new OpenSearchBed();
        bed.Search(TargetSession.ReadWrite);
        Assert.AreEqual(bed.Settings.FailoverTimeout, bed.Waited);
    }

    [TestMethod]
    public void Time_runs_from_the_first_failure_and_not_from_the_end_of_the_pass()
    {
        var bed = new OpenSearchBed();
        bed.Answer = _ =>
        {
            bed.Time.Advance(TimeSpan.FromSeconds(3));
            return OpenSearchBed.Refused;
        };
        bed.Search(TargetSession.ReadWrite);
        Assert.IsLessThan(TimeSpan.FromSeconds(5), bed.Waited, "Three hosts took 9 s, of which the first failed after 3.");
    }

    [TestMethod]
    public void A_unit_that_failed_before_gets_what_is_left_of_its_time()
    {
        var bed = new OpenSearchBed();
        bed.Log.BeginUnit(idempotent: false, requiresPrimary: false);
        bed.Log.Failed(bed.Time.GetTimestamp());
        bed.Time.Advance(TimeSpan.FromSeconds(7));
        bed.Search(TargetSession.ReadWrite);
        Assert.AreEqual(TimeSpan.FromSeconds(3), bed.Waited);
    }

    [TestMethod]
    public void A_unit_whose_time_was_spent_looking_for_a_host_does_not_get_it_a_second_time()
    {
        var bed = new OpenSearchBed();
        bed.Log.BeginUnit(idempotent: false, requiresPrimary: false);
        bed.Search(TargetSession.ReadWrite);
        var waited = bed.Waited;
        bed.Search(TargetSession.ReadWrite);
        Assert.AreEqual(waited, bed.Waited);
        Assert.AreEqual(0, bed.Log.FirstFailureAt);
    }

    [TestMethod]
    public void A_search_that_finds_a_host_in_its_first_pass_is_no_failure_of_the_unit()
    {
        var bed = new OpenSearchBed { Answer = host => host == 2 ? HostRole.Primary : OpenSearchBed.Refused };
        bed.Log.BeginUnit(idempotent: false, requiresPrimary: false);
        Assert.AreEqual(2, bed.Search(TargetSession.ReadWrite));
        Assert.IsNull(bed.Log.FirstFailureAt);
    }

    [TestMethod]
    public void Outside_a_unit_each_search_has_all_the_time()
    {
        var bed = new OpenSearchBed();
        bed.Log.Failed(bed.Time.GetTimestamp());
        bed.Time.Advance(TimeSpan.FromHours(1));
        bed.Search(TargetSession.ReadWrite);
        bed.Search(TargetSession.ReadWrite);
        Assert.AreEqual(2 * bed.Settings.FailoverTimeout, bed.Waited);
    }

    [TestMethod]
    public void Waits_grow_up_to_their_cap()
    {
        var bed = new OpenSearchBed { Random = new Always(1 - 1e-9) };
        bed.Search(TargetSession.ReadWrite);
        var search = bed.Steps.Count(step => step == '-');
        Assert.IsLessThan(35, search, "20, 40, 80, 160, 320 and then 500 ms");
        Assert.IsGreaterThan(15, search);
    }

    [TestMethod]
    public void With_retries_turned_off_it_fails_after_one_pass()
    {
        var bed = new OpenSearchBed(configure: options => options.MaxRetryCount = 0);
        Assert.IsInstanceOfType<NoSuitableHostException>(bed.Search(TargetSession.ReadWrite));
        Assert.AreEqual("abc", string.Concat(bed.Steps.Order()));
        Assert.AreEqual(TimeSpan.Zero, bed.Waited);
    }

    [TestMethod]
    public void A_caller_who_cancels_gets_that_at_once()
    {
        var cancelled = new OperationCanceledException(new CancellationToken(canceled: true));
        var bed = new OpenSearchBed { Answer = _ => cancelled };
        Assert.AreSame(cancelled, bed.Search(TargetSession.ReadWrite));
        Assert.HasCount(1, bed.Steps);
        Assert.IsEmpty(bed.Route.Cleared);
    }

    [TestMethod]
    public void An_exhausted_pool_is_waited_for_as_long_as_the_connection_string_says()
    {
        var bed = new OpenSearchBed(hosts: 2, poolTimeout: TimeSpan.FromSeconds(15));
        bed.Knows(HostRole.Primary, HostRole.Standby);
        bed.Answer = host =>
        {
            bed.Time.Advance(host == 0 ? TimeSpan.FromSeconds(3) : TimeSpan.Zero);
            return host == 0 ? OpenSearchBed.PoolExhausted : HostRole.Standby;
        };
        Assert.AreSame(OpenSearchBed.PoolExhausted, bed.Search(TargetSession.ReadWrite));
        Assert.AreEqual("aaaaab", bed.Steps);
        Assert.IsEmpty(bed.Route.Cleared, "It says nothing about the host.");
        Assert.AreEqual(0, bed.Cluster.Primary);
    }

    [TestMethod]
    public void A_place_that_becomes_free_in_the_pool_is_taken()
    {
        var asked = 0;
        var bed = new OpenSearchBed(hosts: 1) { Answer = _ => asked++ == 0 ? OpenSearchBed.PoolExhausted : null };
        Assert.AreEqual(0, bed.Search(TargetSession.Any));
        Assert.AreEqual("aa", bed.Steps);
    }

    [TestMethod]
    public void A_pool_that_was_waited_for_in_full_is_not_waited_for_twice_because_a_timer_was_early()
    {
        var bed = new OpenSearchBed(hosts: 1, poolTimeout: TimeSpan.FromSeconds(15));
        bed.Answer = _ =>
        {
            bed.Time.Advance(TimeSpan.FromSeconds(15) - TimeSpan.FromMilliseconds(1));
            return OpenSearchBed.PoolExhausted;
        };
        Assert.AreSame(OpenSearchBed.PoolExhausted, bed.Search(TargetSession.Any));
        Assert.AreEqual("a", bed.Steps);
    }

    private sealed class Always(double sample) : Random
    {
        public override double NextDouble() => sample;
    }
}
