using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Positions;
using DbRetry.EFCore.Tests.Support.Cluster;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>How searches spread over the hosts that may serve reads, and what they settle for.</summary>
[TestClass]
public sealed class ReadingSearchTests
{
    private const HostRole Primary = HostRole.Primary;
    private const HostRole Standby = HostRole.Standby;

    private static readonly HostRole[] Roles = [Primary, Standby, Standby];
    private static readonly CommitPosition Position = new(1, 1, 100);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    public required TestContext TestContext { get; set; }

    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [DataRow(2)]
    public void The_load_of_a_host_that_is_down_goes_to_all_others_alike(int down)
    {
        var bed = new OpenSearchBed { Answer = host => host == down ? OpenSearchBed.Refused : Roles[host], Random = new(down) };
        bed.Knows(Roles);
        var served = Enumerable.Range(0, 3000).Select(i => Served(bed, TargetSession.Any, i)).CountBy(host => host).ToDictionary();
        CollectionAssert.AreEquivalent(new[] { 0, 1, 2 }.Except([down]).ToArray(), served.Keys);

        // Half of 3,000; its standard deviation is 27.
        Assert.IsTrue(served.Values.All(count => count is > 1350 and < 1650), string.Join(' ', served));
    }

    [TestMethod]
    public void A_standby_that_returns_gets_its_share_again()
    {
        var down = true;
        var bed = new OpenSearchBed { Answer = host => host == 2 && down ? OpenSearchBed.Refused : Roles[host], Random = new(5) };
        bed.Knows(Roles);
        Assert.IsTrue(Enumerable.Range(0, 100).All(i => Served(bed, TargetSession.PreferStandby, i) == 1));

        down = false;
        bed.Time.Advance(Cluster.RefusalPenalty);
        var served = Enumerable.Range(0, 1000).Select(i => Served(bed, TargetSession.PreferStandby, i)).CountBy(host => host).ToDictionary();
        CollectionAssert.AreEquivalent(new[] { 1, 2 }, served.Keys);
        Assert.IsTrue(served.Values.All(count => count is > 420 and < 580), string.Join(' ', served));
    }

    [TestMethod]
    public void Without_a_standby_the_primary_serves_and_nobody_tries_the_dead_ones_over_and_over()
    {
        var down = true;
        var bed = new OpenSearchBed { Answer = host => host != 0 && down ? OpenSearchBed.Refused : Roles[host] };
        bed.Knows(Roles);
        Assert.AreEqual(0, bed.Search(TargetSession.PreferStandby));
        for (var i = 0; i < 10; i++)
        {
            Assert.AreEqual(0, bed.Search(TargetSession.PreferStandby));
            Assert.AreEqual("aa", bed.Steps, "It is the second choice, and taken as soon as that is clear.");
        }

        bed.Time.Advance(Cluster.RefusalPenalty);
        Assert.AreEqual(0, bed.Search(TargetSession.PreferStandby));
        Assert.HasCount(4, bed.Steps, "Both are tried again.");

        down = false;
        bed.Time.Advance(Cluster.RefusalPenalty);
        Assert.AreNotEqual(0, bed.Search(TargetSession.PreferStandby));
        Assert.HasCount(1, bed.Steps);
    }

    [TestMethod]
    public void A_second_choice_that_fails_in_the_end_is_no_reason_not_to_try_the_others()
    {
        var asked = 0;
        var bed = new OpenSearchBed { Answer = host => host == 0 && asked++ == 0 ? Primary : OpenSearchBed.Refused };
        bed.Knows(Roles);
        bed.Cluster.Failed(1, stalled: false, bed.Time);
        bed.Cluster.Failed(2, stalled: false, bed.Time);
        bed.Search(TargetSession.PreferStandby);
        Assert.StartsWith("aa", bed.Steps);
        Assert.AreEqual("bc", string.Concat(bed.Steps[2..4].Order()));
    }

    [TestMethod]
    public async Task A_former_primary_is_looked_at_again_when_others_read_from_standbys()
    {
        var bed = new OpenSearchBed(probe: (_, _) => Task.FromResult<HostSighting?>(Standby)) { Answer = host => host == 1 ? Primary : Standby, Random = new(3) };
        bed.Knows(Primary, Standby, Standby);
        bed.Cluster.Saw(1, Primary);
        await Poll.UntilAsync(() => bed.Search(TargetSession.Standby) is 0, Limit, () => "the former primary serves nobody", TestContext.CancellationToken);
        var served = Enumerable.Range(0, 100).Select(_ => (int)bed.Search(TargetSession.Standby)).CountBy(host => host).ToDictionary();
        CollectionAssert.AreEquivalent(new[] { 0, 2 }, served.Keys);
    }

    [TestMethod]
    public void A_connection_that_was_opened_before_the_promotion_is_asked_once_others_know_of_it()
    {
        var bed = new OpenSearchBed();
        bed.Knows(Roles);
        var search = bed.Start(TargetSession.Standby);
        Assert.AreEqual(OpenStep.Try, search.Next());
        Assert.IsTrue(search.Believes(Standby));

        bed.Cluster.Saw(search.Host, Primary);
        Assert.IsFalse(search.Believes(Standby));
        Assert.IsTrue(search.Believes(Primary));
    }

    [TestMethod]
    [DataRow(3, true)]
    [DataRow(1, false)]
    public void After_a_loss_the_report_of_the_primary_is_believed_if_it_was_asked_since_and_is_not_one_address_for_all_servers(int hosts, bool believed)
    {
        var bed = new OpenSearchBed(hosts);
        bed.Knows(Primary);
        bed.Log.DemandProof();
        var search = bed.Start(TargetSession.ReadWrite);
        Assert.AreEqual(OpenStep.Try, search.Next());
        Assert.AreEqual(0, search.Host);
        Assert.AreEqual(believed, search.Believes(Primary));

        bed.Cluster.Forget(0);
        Assert.IsFalse(search.Believes(Primary), "It was lost since.");

        bed.Knows(Standby);
        search = bed.Start(TargetSession.Any);
        search.Next();
        Assert.IsFalse(search.Believes(Standby), "It is not the primary.");
    }

    [TestMethod]
    [DataRow(TargetSession.Standby)]
    [DataRow(TargetSession.PreferStandby)]
    public void A_pooled_connection_that_calls_its_host_a_primary_may_be_dead_and_its_host_a_standby_by_now(TargetSession target)
    {
        var bed = new OpenSearchBed();
        var search = bed.Start(target);
        Assert.AreEqual(OpenStep.Try, search.Next());
        Assert.IsTrue(search.Believes(Standby), "Whoever uses it will see.");
        Assert.IsFalse(search.Believes(Primary), "It would be put back unused, and say the same to the next one.");
        Assert.IsFalse(search.Believes(HostRole.ReadOnlyPrimary));
    }

    [TestMethod]
    public async Task A_host_that_did_not_answer_is_looked_at_again_in_nobodys_time()
    {
        var answer = new TaskCompletionSource<HostSighting?>();
        var probed = 0;
        var bed = new OpenSearchBed(probe: (_, _) =>
        {
            Interlocked.Increment(ref probed);
            return answer.Task;
        })
        {
            Answer = host => Roles[host],
        };
        bed.Knows(Roles);
        bed.Cluster.Failed(2, stalled: true, bed.Time);
        bed.Time.Advance(Cluster.StallPenalty);
        for (var i = 0; i < 10; i++)
        {
            Assert.AreEqual(1, bed.Search(TargetSession.PreferStandby));
        }

        await Poll.UntilAsync(() => Volatile.Read(ref probed) > 0, Limit, () => "nobody looks", TestContext.CancellationToken);
        answer.SetResult(Standby);
        await Poll.UntilAsync(
            () => bed.Search(TargetSession.PreferStandby) is 2, Limit, () => "the host that answers serves nobody", TestContext.CancellationToken);
        Assert.AreEqual(1, probed);
    }

    [TestMethod]
    public async Task A_host_that_still_does_not_answer_is_looked_at_once_in_a_while()
    {
        var probed = 0;
        var bed = new OpenSearchBed(probe: (_, _) =>
        {
            Interlocked.Increment(ref probed);
            return Task.FromException<HostSighting?>(OpenSearchBed.Refused);
        })
        {
            Answer = host => Roles[host],
        };
        bed.Knows(Roles);
        bed.Cluster.Failed(2, stalled: true, bed.Time);
        for (var look = 1; look <= 3; look++)
        {
            bed.Time.Advance(Cluster.StallPenalty);
            for (var i = 0; i < 10; i++)
            {
                Assert.AreEqual(1, bed.Search(TargetSession.PreferStandby));
            }

            await Poll.UntilAsync(() => Volatile.Read(ref probed) == look, Limit, () => $"{probed} looks, not {look}", TestContext.CancellationToken);
        }
    }

    [TestMethod]
    public void When_nobody_else_is_left_a_host_that_did_not_answer_is_tried_by_those_who_need_it()
    {
        var bed = new OpenSearchBed(hosts: 1, probe: (_, _) => Task.FromResult<HostSighting?>(null)) { Answer = _ => Standby };
        bed.Cluster.Failed(0, stalled: true, bed.Time);
        bed.Time.Advance(Cluster.StallPenalty);
        Assert.AreEqual(0, bed.Search(TargetSession.PreferStandby));
    }

    [TestMethod]
    [DataRow(TargetSession.PreferStandby, true, false, 2)]
    [DataRow(TargetSession.PreferStandby, true, true, 0)]
    [DataRow(TargetSession.Standby, true, false, 2)]
    [DataRow(TargetSession.ReadOnly, true, false, 2)]
    [DataRow(TargetSession.ReadWrite, true, true, 0)]
    public void A_standby_that_lags_is_passed_over(TargetSession target, bool oneLags, bool twoLags, int expected)
    {
        bool[] lags = [false, oneLags, twoLags];
        for (var seed = 0; seed < 20; seed++)
        {
            var bed = new OpenSearchBed
            {
                Random = new(seed),
                Answer = host => Roles[host],
                Replayed = host => new ReplayState(1, host == 0, 1, host == 0 ? null : lags[host] ? 99 : 100),
            };
            bed.Knows(Roles);
            Assert.AreEqual(expected, bed.Search(target, Position));
            Assert.DoesNotContain("-", bed.Steps);
        }
    }

    [TestMethod]
    public void Standbys_that_all_lag_are_waited_for_and_named_in_the_end()
    {
        var bed = new OpenSearchBed { Answer = host => Roles[host], Replayed = host => host == 0 ? null : new ReplayState(1, false, 1, 99) };
        bed.Knows(Roles);
        var error = Assert.IsInstanceOfType<NoSuitableHostException>(bed.Search(TargetSession.Standby, Position));
        Assert.Contains("b:5432 (it has replayed up to 0/63, and is to be read after 0/64)", error.Message);
        Assert.Contains("-", bed.Steps);
        Assert.AreEqual(bed.Settings.FailoverTimeout, bed.Waited);
    }

    [TestMethod]
    public void A_standby_that_does_not_tell_is_passed_over_and_a_primary_is_not()
    {
        var bed = new OpenSearchBed { Answer = host => Roles[host], Replayed = _ => null };
        bed.Knows(Roles);
        Assert.AreEqual(0, bed.Search(TargetSession.PreferStandby, Position));
        Assert.AreEqual(0, bed.Search(TargetSession.Primary, Position));
    }

    private static int Served(OpenSearchBed bed, TargetSession target, int i)
    {
        bed.Time.Advance(TimeSpan.FromMilliseconds(i % 2));
        return (int)bed.Search(target);
    }
}
