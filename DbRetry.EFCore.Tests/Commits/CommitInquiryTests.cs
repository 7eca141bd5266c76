using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;
using static DbRetry.EFCore.Tests.Commits.Incarnations;

namespace DbRetry.EFCore.Tests.Commits;

[TestClass]
public class CommitInquiryTests
{
    private static readonly ServerIncarnation Promoted = Then with { Timeline = Then.Timeline + 1, LastReplayLsn = 2000, StartedAt = Later };
    private static readonly ServerIncarnation Behind = Promoted with { LastReplayLsn = 600 };
    private static readonly ServerIncarnation TwiceOn = Promoted with { Timeline = Then.Timeline + 2 };
    private static readonly ServerIncarnation Foreign = Promoted with { SystemIdentifier = 2 };
    private static readonly ServerIncarnation Outdated = Then with { Timeline = Then.Timeline - 1 };

    private readonly ManualTime _time = new();

    [TestMethod]
    public void every_host_is_asked_and_the_highest_timeline_is_believed_in_whatever_order_they_answer()
    {
        Assert.AreEqual(CommitVerdict.NotCommitted, RoundVerdict((Then, XidStatus.Committed), (Promoted, XidStatus.Aborted)));
        Assert.AreEqual(CommitVerdict.NotCommitted, RoundVerdict((Promoted, XidStatus.Aborted), (Then, XidStatus.Committed)));
        Assert.AreEqual(CommitVerdict.Committed, RoundVerdict((Promoted, XidStatus.Committed), (Then, XidStatus.InProgress)));
        Assert.AreEqual(CommitVerdict.NotCommitted, RoundVerdict((Then, XidStatus.Committed), (Behind, XidStatus.Committed)));
    }

    [TestMethod]
    public void a_standby_and_a_host_of_another_cluster_and_one_that_does_not_answer_count_for_nothing()
    {
        Assert.AreEqual(CommitVerdict.Committed, RoundVerdict((null, XidStatus.Forgotten), (Then, XidStatus.Committed)));
        Assert.AreEqual(CommitVerdict.Committed, RoundVerdict((Foreign, XidStatus.Aborted), (Then, XidStatus.Committed)));

        var inquiry = Start(hosts: 2);
        Ask(inquiry, 0);
        inquiry.Failed("db0", "it burnt down");
        Ask(inquiry, 1);
        inquiry.Answered(new("db1", Then, XidStatus.Committed));
        Assert.AreEqual(InquiryStep.Done, inquiry.Next());
        Assert.AreEqual(CommitVerdict.Committed, inquiry.Verdict);
        Assert.AreEqual(1, inquiry.Survivor?.Host);
        Assert.AreEqual("db0 cannot be asked: it burnt down; db1 (timeline 5) says Committed", inquiry.Answers);
    }

    [TestMethod]
    public void two_primaries_of_one_timeline_that_contradict_each_other_are_no_answer()
    {
        Assert.AreEqual(CommitVerdict.Unknown, RoundVerdict((Promoted, XidStatus.Committed), (Behind, XidStatus.Committed)));
        Assert.AreEqual(CommitVerdict.Unknown, RoundVerdict((Behind, XidStatus.InTheFuture), (Promoted, XidStatus.Committed)));
        Assert.AreEqual(CommitVerdict.Committed, RoundVerdict((Promoted, XidStatus.Committed), (Promoted, XidStatus.Committed)));
        Assert.AreEqual(
            CommitVerdict.Committed,
            RoundVerdict((Then, XidStatus.Committed), (Then, XidStatus.Aborted), (Promoted, XidStatus.Committed)),
            "What outdated primaries say does not matter.");
    }

    [TestMethod]
    public void one_server_with_two_names_does_not_contradict_itself_when_it_commits_between_the_questions()
        => Assert.AreEqual(CommitVerdict.Committed, RoundVerdict((Then, XidStatus.InProgress), (Then, XidStatus.Committed)));

    [TestMethod]
    public void a_server_that_cannot_know_ends_the_inquiry_at_once()
    {
        Assert.AreEqual(CommitVerdict.Unknown, RoundVerdict((TwiceOn, XidStatus.Committed)));
        Assert.AreEqual(CommitVerdict.Unknown, RoundVerdict((Then, XidStatus.Forgotten)));
        Assert.AreEqual(CommitVerdict.Unknown, RoundVerdict((Then, XidStatus.InTheFuture)));
        Assert.AreEqual(CommitVerdict.Unknown, RoundVerdict((Then with { StartedAt = Later, LastReplayLsn = null, StatisticsSince = Later }, XidStatus.Committed)));
    }

    [TestMethod]
    public void a_primary_that_may_turn_up_yet_is_waited_for()
    {
        foreach (var server in new ServerIncarnation?[] { null, Outdated, Foreign })
        {
            var inquiry = Start(hosts: 1);
            Round(inquiry, (server, XidStatus.Committed));
            Assert.AreEqual(server == Outdated ? InquiryStep.Wait : InquiryStep.WaitForPrimary, inquiry.Next(), $"{server}");
            Assert.IsGreaterThan(TimeSpan.Zero, inquiry.Delay);

            Round(inquiry, (Promoted, XidStatus.Committed));
            Assert.AreEqual(InquiryStep.Done, inquiry.Next());
            Assert.AreEqual(CommitVerdict.Committed, inquiry.Verdict);
            Assert.AreEqual("db0 (timeline 6) says Committed", inquiry.Answers, "Answers of earlier rounds are forgotten.");
        }
    }

    [TestMethod]
    public void where_somebody_looks_for_a_primary_news_of_one_is_waited_for_before_anybody_is_asked()
    {
        var inquiry = Start(hosts: 1, waitsFirst: true);
        Assert.AreEqual(InquiryStep.WaitForPrimary, inquiry.Next());
        Assert.AreEqual(TimeSpan.FromMilliseconds(500), inquiry.Delay);
        Round(inquiry, (Promoted, XidStatus.Committed));
        Assert.AreEqual(InquiryStep.Done, inquiry.Next());
        Assert.AreEqual(CommitVerdict.Committed, inquiry.Verdict);
    }

    [TestMethod]
    [DataRow(-1, "0 1 2")]
    [DataRow(0, "0 1 2")]
    [DataRow(1, "1 0 2")]
    [DataRow(2, "2 0 1")]
    public void the_host_that_is_known_as_the_primary_is_asked_first_and_every_other_one_after_it(int primary, string order)
    {
        var inquiry = Start(hosts: 3);
        var asked = new List<int>();
        while (inquiry.Next(primary) is InquiryStep.Ask)
        {
            asked.Add(inquiry.Host);
            inquiry.Answered(new($"db{inquiry.Host}", inquiry.Host == 2 ? Promoted : null, XidStatus.Committed));
            primary = 0; // It is another one meanwhile; the round goes on as it began.
        }

        Assert.AreEqual(order, string.Join(' ', asked));
        Assert.AreEqual(2, inquiry.Survivor?.Host);
    }

    public static IEnumerable<object?[]> Successors =>
    [
        Row("it has it", Promoted, XidStatus.Committed, asked: "1"),
        Row("it rolled it back", Promoted, XidStatus.Aborted, asked: "1"),
        Row("it never got it", Behind, XidStatus.InTheFuture, asked: "1"),
        Row("it does not know yet", Promoted, XidStatus.InProgress, asked: "1 0 2"),
        Row("it cannot know", TwiceOn, XidStatus.Committed, asked: "1 0 2"),
        Row("it is the one that ran it", Then, XidStatus.Committed, asked: "1 0 2"),
        Row("it is the one before that", Outdated, XidStatus.Aborted, asked: "1 0 2"),
        Row("it is of another cluster", Foreign, XidStatus.Committed, asked: "1 0 2"),
        Row("it is a standby meanwhile", null, XidStatus.Committed, asked: "1 0 2"),
    ];

    [TestMethod]
    [DynamicData(nameof(Successors))]
    public void a_primary_that_took_the_place_of_the_one_that_ran_it_decides_alone_if_it_can(string what, object? server, object status, string asked)
    {
        Assert.AreEqual(asked, Asked(primaryThen: 1), what);
        Assert.AreEqual("1 0 2", Asked(primaryThen: 2), $"{what}, but another one is the primary now");

        string Asked(int primaryThen)
        {
            var inquiry = Start(hosts: 3);
            var hosts = new List<int>();
            while (inquiry.Next(hosts.Count > 0 ? primaryThen : 1) is InquiryStep.Ask)
            {
                hosts.Add(inquiry.Host);
                inquiry.Answered(new($"db{inquiry.Host}", inquiry.Host == 1 ? (ServerIncarnation?)server : null, (XidStatus)status));
            }

            return string.Join(' ', hosts);
        }
    }

    [TestMethod]
    public void a_backend_that_still_runs_it_is_fenced_once_a_round_on_the_host_that_said_so()
    {
        var inquiry = Start(hosts: 3);
        for (var round = 0; round < 2; round++)
        {
            Round(inquiry, (null, XidStatus.Forgotten), (Then, XidStatus.InProgress), (Outdated, XidStatus.Aborted));
            Assert.AreEqual(InquiryStep.Settle, inquiry.Next());
            Assert.AreEqual(1, inquiry.Host);
            Assert.AreEqual(InquiryStep.Wait, inquiry.Next());
        }

        Round(inquiry, (null, XidStatus.Forgotten), (Then, XidStatus.Aborted), (Outdated, XidStatus.Aborted));
        Assert.AreEqual(InquiryStep.Done, inquiry.Next());
        Assert.AreEqual(CommitVerdict.NotCommitted, inquiry.Verdict);
    }

    [TestMethod]
    public void after_a_recovery_nobody_is_left_to_be_fenced()
    {
        var inquiry = Start(hosts: 1);
        Round(inquiry, (Promoted, XidStatus.InProgress));
        Assert.AreEqual(InquiryStep.Wait, inquiry.Next());
    }

    [TestMethod]
    public void it_goes_on_until_the_time_is_over_and_not_beyond()
    {
        var inquiry = Start(hosts: 1);
        while (true)
        {
            Assert.AreEqual(InquiryStep.Ask, inquiry.Next());
            inquiry.Answered(new("db0", Then, XidStatus.InProgress));
            Assert.AreEqual(InquiryStep.Settle, inquiry.Next());
            if (inquiry.Next() is InquiryStep.Done)
            {
                break;
            }

            Assert.IsLessThanOrEqualTo(TimeSpan.FromSeconds(10) - _time.GetElapsedTime(0), inquiry.Delay);
            _time.Advance(inquiry.Delay);
        }

        Assert.IsNull(inquiry.Survivor);
        Assert.AreEqual(TimeSpan.FromSeconds(10), _time.GetElapsedTime(0));
        Assert.AreEqual(CommitVerdict.Unknown, inquiry.Verdict);
    }

    [TestMethod]
    public void when_the_time_is_over_already_every_host_is_asked_once()
    {
        _time.Advance(TimeSpan.FromHours(1));
        Assert.AreEqual(CommitVerdict.Committed, RoundVerdict((null, XidStatus.Forgotten), (Promoted, XidStatus.Committed)));
        Assert.AreEqual(CommitVerdict.Unknown, RoundVerdict((null, XidStatus.Forgotten), (null, XidStatus.Forgotten)));
    }

    [TestMethod]
    public void without_any_answer_it_says_so() => Assert.AreEqual("no host answered", Start(hosts: 1).Answers);

    private static object?[] Row(string what, ServerIncarnation? server, XidStatus status, string asked) => [what, server, status, asked];

    private CommitInquiry Start(int hosts, bool waitsFirst = false)
        => new(
            new StatusProof(Identity(Then)),
            hosts,
            new RecoveryMemory(),
            RetrySettings.From(new DbRetryOptions { MaxRetryCount = 1, FailoverTimeout = TimeSpan.FromSeconds(10) }),
            _time,
            new Random(1),
            since: 0,
            waitsFirst);

    private CommitVerdict RoundVerdict(params (ServerIncarnation? Server, XidStatus Status)[] answers)
    {
        var inquiry = Start(answers.Length);
        Round(inquiry, answers);
        Assert.AreEqual(InquiryStep.Done, inquiry.Next());
        return inquiry.Verdict;
    }

    private static void Round(CommitInquiry inquiry, params (ServerIncarnation? Server, XidStatus Status)[] answers)
    {
        for (var host = 0; host < answers.Length; host++)
        {
            Ask(inquiry, host);
            inquiry.Answered(new($"db{host}", answers[host].Server, answers[host].Status));
        }
    }

    private static void Ask(CommitInquiry inquiry, int host)
    {
        Assert.AreEqual(InquiryStep.Ask, inquiry.Next());
        Assert.AreEqual(host, inquiry.Host);
    }
}
