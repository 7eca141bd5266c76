using DbRetry.EFCore.Commits;
using static DbRetry.EFCore.Tests.Commits.Incarnations;

namespace DbRetry.EFCore.Tests.Commits;

[TestClass]
public class CommitVerdictsTests
{
    private const int L = 1000;

    [TestMethod]
    [DataRow(nameof(XidStatus.Committed), nameof(CommitVerdict.Committed))]
    [DataRow(nameof(XidStatus.Aborted), nameof(CommitVerdict.NotCommitted))]
    [DataRow(nameof(XidStatus.InProgress), nameof(CommitVerdict.InProgress))]
    [DataRow(nameof(XidStatus.InTheFuture), nameof(CommitVerdict.Unknown))]
    [DataRow(nameof(XidStatus.Forgotten), nameof(CommitVerdict.Unknown))]
    public void the_status_counts_where_no_WAL_of_the_transaction_was_lost(string status, string verdict)
    {
        ServerIncarnation[] sameHistory =
        [
            Then,
            Then with { StatisticsSince = Later }, // Reset by an administrator.
            Then with { StatisticsSince = null },
            Then with { StartedAt = Later, LastReplayLsn = null }, // Restarted cleanly.
            Then with { LastReplayLsn = L, StatisticsSince = Later }, // A backend was killed.
            Then with { LastReplayLsn = L + 1, StartedAt = Later, StatisticsSince = Later },
            Then with { LastReplayLsn = long.MaxValue, StartedAt = Later, StatisticsSince = null },
            Then with { Timeline = Then.Timeline + 1, LastReplayLsn = L, StartedAt = Later, StatisticsSince = Later },
            Then with { Timeline = Then.Timeline + 1, LastReplayLsn = L + 1 },
        ];

        foreach (var now in sameHistory)
        {
            Assert.AreEqual(Enum.Parse<CommitVerdict>(verdict), Decide(now, Enum.Parse<XidStatus>(status)), $"{now}");
        }
    }

    [TestMethod]
    [DynamicData(nameof(Statuses))]
    public void whatever_the_status_a_server_that_lost_the_WAL_of_the_transaction_never_committed_it(string status)
    {
        ServerIncarnation[] lost =
        [
            Then with { LastReplayLsn = L - 1 },
            Then with { LastReplayLsn = L - 1, StartedAt = Later, StatisticsSince = Later },
            Then with { LastReplayLsn = 0, StartedAt = Later },
            Then with { Timeline = Then.Timeline + 1, LastReplayLsn = L - 1, StartedAt = Later },
            Then with { Timeline = Then.Timeline + 1, LastReplayLsn = Then.LastReplayLsn },
        ];

        foreach (var now in lost)
        {
            Assert.AreEqual(CommitVerdict.NotCommitted, Decide(now, Enum.Parse<XidStatus>(status)), $"{now}");
        }
    }

    [TestMethod]
    [DynamicData(nameof(Statuses))]
    public void whatever_the_status_a_server_whose_past_is_not_certain_proves_nothing(string status)
    {
        ServerIncarnation?[] uncertain =
        [
            null, // A standby.
            Then with { SystemIdentifier = 2 },
            Then with { SystemIdentifier = 2, LastReplayLsn = L - 1 },
            Then with { SystemIdentifier = 2, LastReplayLsn = L, StartedAt = Later },
            Then with { LastReplayLsn = null }, // Positions do not vanish without a restart.
            Then with { LastReplayLsn = null, StartedAt = Later, StatisticsSince = Later }, // Something before that restart was lost.
            Then with { LastReplayLsn = null, StartedAt = Later, StatisticsSince = null },
            Then with { Timeline = Then.Timeline + 1, LastReplayLsn = null, StartedAt = Later },
            Then with { Timeline = Then.Timeline + 1, LastReplayLsn = null },
            Then with { Timeline = Then.Timeline + 2, LastReplayLsn = L, StartedAt = Later },
            Then with { Timeline = Then.Timeline + 2, LastReplayLsn = L - 1, StartedAt = Later },
            Then with { Timeline = Then.Timeline - 1 },
            Then with { Timeline = Then.Timeline - 1, LastReplayLsn = L - 1 },
            Then with { Timeline = Then.Timeline - 1, LastReplayLsn = L + 1 },
        ];

        foreach (var now in uncertain)
        {
            Assert.AreEqual(CommitVerdict.Unknown, Decide(now, Enum.Parse<XidStatus>(status)), $"{now}");
        }
    }

    [TestMethod]
    public void without_statistics_a_clean_restart_proves_nothing()
    {
        var then = Then with { StatisticsSince = null };
        Assert.AreEqual(
            CommitVerdict.Unknown,
            CommitVerdicts.Decide(Identity(then, L), new("db", then with { LastReplayLsn = null, StartedAt = Later }, XidStatus.Committed), []));
    }

    [TestMethod]
    [DynamicData(nameof(Statuses))]
    public void a_transaction_without_an_id_committed_nothing(string status)
        => Assert.AreEqual(
            CommitVerdict.NotCommitted,
            CommitVerdicts.Decide(Identity(Then, L) with { Xid = null }, new("db", Then, Enum.Parse<XidStatus>(status)), []));

    [TestMethod]
    public void a_recovery_that_was_seen_in_between_and_lost_the_transaction_shows_that_the_status_is_a_strangers()
    {
        var now = Then with { LastReplayLsn = L + 500, StatisticsSince = Later.AddDays(1) };
        var never = Then with { LastReplayLsn = null };
        var crashed = Then with { LastReplayLsn = L - 1, StatisticsSince = Later };
        (ServerIncarnation Then, ServerIncarnation Now, ServerIncarnation Seen, bool Lost)[] rows =
        [
            (Then, now, crashed, true),
            (Then, now, crashed with { LastReplayLsn = L }, false),
            (Then, now, Then, false),
            (Then, now, crashed with { LastReplayLsn = Then.LastReplayLsn - 1 }, false), // Before the transaction.
            (Then, now, crashed with { SystemIdentifier = 2 }, false),
            (Then, now, crashed with { Timeline = Then.Timeline + 1 }, false), // Of a primary that did not stay.
            (Then, now, crashed with { Timeline = Then.Timeline - 1 }, false),
            (Then, now with { Timeline = Then.Timeline + 1 }, crashed, true),
            (Then, now with { Timeline = Then.Timeline + 1 }, crashed with { Timeline = Then.Timeline + 1 }, true),
            (never, now, crashed, true),
            (never, now, crashed with { StatisticsSince = never.StatisticsSince }, false), // Before a clean restart.
            (never with { StatisticsSince = null }, now, crashed, false),
        ];

        foreach (var row in rows)
        {
            Assert.AreEqual(
                row.Lost ? CommitVerdict.NotCommitted : CommitVerdict.Committed,
                CommitVerdicts.Decide(Identity(row.Then, L), new("db", row.Now, XidStatus.Committed), [new("db", row.Seen)]),
                $"{row}");
        }

        Assert.AreEqual(
            CommitVerdict.Committed,
            CommitVerdicts.Decide(Identity(Then, L), new("db", Then, XidStatus.Committed), [new("db", crashed)]),
            "A server that has not recovered has lost nothing.");
    }

    [TestMethod]
    [DynamicData(nameof(Statuses))]
    public void what_one_of_two_successors_lost_was_taken_for_lost_on_the_other_one(string status)
    {
        var successor = Then with { Timeline = Then.Timeline + 1, LastReplayLsn = L, StatisticsSince = Later };
        var sibling = new SeenRecovery("another", successor with { LastReplayLsn = L - 1 });
        var crashed = sibling with { Host = "db" };

        Assert.AreEqual(CommitVerdict.Unknown, Of(successor, sibling));
        Assert.AreEqual(CommitVerdict.NotCommitted, Of(successor, crashed), "It has recovered twice.");
        Assert.AreEqual(CommitVerdict.NotCommitted, Of(successor, sibling, crashed));
        Assert.AreEqual(CommitVerdict.NotCommitted, Of(successor with { LastReplayLsn = L - 1 }, sibling), "Nor has this one got it.");
        Assert.AreEqual(
            CommitVerdict.NotCommitted,
            Of(successor, sibling with { Server = Then with { LastReplayLsn = L - 1, StatisticsSince = Later } }),
            "The one that ran it lost it before the promotion.");

        CommitVerdict Of(ServerIncarnation now, params SeenRecovery[] seen)
            => CommitVerdicts.Decide(Identity(Then, L), new("db", now, Enum.Parse<XidStatus>(status)), seen);
    }

    [TestMethod]
    public void recoveries_are_remembered_once_and_the_oldest_are_forgotten()
    {
        var memory = new RecoveryMemory();
        memory.Note("db", Then with { LastReplayLsn = null });
        Assert.IsEmpty(memory.Seen);
        for (var lsn = 1; lsn <= RecoveryMemory.Capacity + 1; lsn++)
        {
            memory.Note("db", Then with { LastReplayLsn = lsn });
            memory.Note("db", Then with { LastReplayLsn = lsn });
        }

        Assert.HasCount(RecoveryMemory.Capacity, memory.Seen);
        Assert.AreEqual(RecoveryMemory.Capacity + 1, memory.Seen[0].Server.LastReplayLsn);
        Assert.AreEqual(2, memory.Seen[^1].Server.LastReplayLsn);
    }

    public static IEnumerable<object[]> Statuses() => Enum.GetNames<XidStatus>().Select(name => new object[] { name });

    private static CommitVerdict Decide(ServerIncarnation? now, XidStatus status)
        => CommitVerdicts.Decide(Identity(Then, L), new("db", now, status), []);
}
