using System.Net.Sockets;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Hosts;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class RetryUnitTests
{
    private readonly ManualTime _time = new();
    private readonly AttemptLog _log = new();

    [TestMethod]
    [DataRow("conflict", "InTransaction", "Retry")]
    [DataRow("conflict", "Committing", "Retry")]
    [DataRow("loss", "None", "Retry")]
    [DataRow("loss", "InTransaction", "Retry")]
    [DataRow("loss", "ReadingAlone", "Retry")]
    [DataRow("loss", "WritingAlone", "Throw")]
    [DataRow("loss", "Committing", "Throw")]
    [DataRow("loss", "Ended", "Surface")]
    [DataRow("refused", "Opening", "Retry")]
    [DataRow("read-only", "InTransaction", "Retry")]
    [DataRow("unique", "InTransaction", "Surface")]
    [DataRow("unique", "Committing", "Surface")]
    [DataRow("40002", "InTransaction", "Surface")]
    [DataRow("cancelled", "Opening", "Surface")]
    [DataRow("cancelled", "InTransaction", "Surface")]
    [DataRow("unknown", "Committing", "Surface")]
    [DataRow("own", "None", "Surface")]
    public void What_follows_a_first_failure(string failure, string phase, string expected)
    {
        var next = After(Unit(), failure, phase);

        Assert.AreEqual(expected, next.ToString());
    }

    [TestMethod]
    [DataRow("conflict", "InTransaction", "Surface")]
    [DataRow("loss", "InTransaction", "Surface")]
    [DataRow("refused", "Opening", "Surface")]
    [DataRow("loss", "Committing", "Throw")]
    public void Without_retries_everything_surfaces_as_itself_but_a_doubt(string failure, string phase, string expected)
        => Assert.AreEqual(expected, After(Unit(options => options.MaxRetryCount = 0), failure, phase).ToString());

    [TestMethod]
    [DataRow("loss", "Committing", "Retry")]
    [DataRow("loss", "WritingAlone", "Retry")]
    [DataRow("unknown", "Committing", "Retry")]
    [DataRow("unique", "Committing", "Surface")]
    [DataRow("cancelled", "Committing", "Surface")]
    public void Idempotent_work_is_run_again_after_a_doubt_too_but_not_for_a_caller_who_gave_up(string failure, string phase, string expected)
    {
        _log.BeginUnit(idempotent: true, requiresPrimary: false);

        Assert.AreEqual(expected, After(Unit(), failure, phase, broken: failure is not "unique").ToString());
    }

    [TestMethod]
    [DataRow("loss", true, "Retry")]
    [DataRow("unknown", true, "Retry")]
    [DataRow("cancelled", true, "Surface")]
    [DataRow("conflict", true, "Retry")]
    [DataRow("unique", false, "Surface")]
    public void A_check_that_nothing_was_applied_settles_a_doubt(string failure, bool verifiable, string expected)
    {
        var unit = Unit();
        Judge(unit, failure, "Committing", broken: failure is not "unique");

        Assert.AreEqual(verifiable, unit.IsVerifiable);
        unit.VerifiedNotApplied();
        Assert.AreEqual(expected, unit.Next().ToString());
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [DataRow(3)]
    public void Attempts_are_one_more_than_retries(int retries)
    {
        var unit = Unit(options => options.MaxRetryCount = retries);
        for (var attempt = 1; attempt <= retries; attempt++)
        {
            Assert.AreEqual(AfterFailure.Retry, After(unit, "conflict", "InTransaction"));
        }

        Assert.AreEqual(retries == 0 ? AfterFailure.Surface : AfterFailure.Throw, After(unit, "conflict", "InTransaction"));
        Assert.HasCount(retries + 1, unit.Exceptions);
    }

    [TestMethod]
    public void An_attempt_that_found_no_host_is_not_counted_but_its_time_is()
    {
        var unit = Unit(options =>
        {
            options.MaxRetryCount = 1;
            options.FailoverTimeout = TimeSpan.FromSeconds(10);
        });
        for (var attempt = 0; attempt < 10; attempt++)
        {
            Assert.AreEqual(AfterFailure.Retry, After(unit, "refused", "Opening"));
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.AreEqual(AfterFailure.Throw, After(unit, "refused", "Opening"));
        Assert.IsInstanceOfType<RetryLimitExceededException>(unit.Error);
        Assert.Contains("11 attempts over 10 s (no host was reached), and FailoverTimeout is 10 s", unit.Error!.Message);
    }

    [TestMethod]
    public void The_time_runs_from_the_first_failure_of_the_unit()
    {
        var unit = Unit(options => options.FailoverTimeout = TimeSpan.FromSeconds(10));
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.AreEqual(AfterFailure.Retry, After(unit, "loss", "InTransaction"));
        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.AreEqual(AfterFailure.Retry, After(unit, "loss", "InTransaction"));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.AreEqual(AfterFailure.Throw, After(unit, "loss", "InTransaction"));
    }

    [TestMethod]
    public void The_story_tells_attempts_hosts_time_the_limit_and_the_last_cause()
    {
        var unit = Unit(options => options.MaxRetryCount = 1);
        _log.Host = Host("story-a");
        After(unit, "loss", "InTransaction");
        _time.Advance(TimeSpan.FromSeconds(1.5));
        _log.Host = Host("story-b");
        Assert.AreEqual(AfterFailure.Throw, After(unit, "conflict", "InTransaction"));

        Assert.IsInstanceOfType<RetryLimitExceededException>(unit.Error);
        StringAssert.StartsWith(
            unit.Error!.Message, "The work failed in each of 2 attempts over 1.5 s (on story-a:5432, story-b:5432), and MaxRetryCount is 1. Last failure: ");
        Assert.AreSame(unit.Exceptions[1], unit.Error.InnerException);
    }

    [TestMethod]
    public void The_budget_of_a_cluster_bounds_retries_of_lost_connections_and_not_of_conflicts()
    {
        _log.Host = Host("budget");
        var unit = Unit(options =>
        {
            options.MaxRetryCount = 100;
            options.RetryBudget = 2;
            options.RetriableSqlStates.Add("55P03");
        });
        Assert.AreEqual(AfterFailure.Retry, After(unit, "loss", "InTransaction"));
        Assert.AreEqual(AfterFailure.Retry, After(unit, "loss", "InTransaction"));
        Assert.AreEqual(AfterFailure.Throw, After(unit, "loss", "InTransaction"));
        Assert.Contains("RetryBudget of 2 for cluster budget:5432 is used up", unit.Error!.Message);

        Assert.AreEqual(AfterFailure.Retry, After(unit, "conflict", "InTransaction"));
        Assert.AreEqual(AfterFailure.Retry, After(unit, "55P03", "InTransaction"));
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.AreEqual(AfterFailure.Retry, After(unit, "loss", "InTransaction"), "a tenth flows back each second");
    }

    [TestMethod]
    public void Conflicts_and_lost_connections_wait_each_by_their_own_count()
    {
        var unit = Unit(options => options.MaxRetryCount = 100);
        var waits = new List<double>();
        foreach (var failure in new[] { "conflict", "loss", "conflict", "loss", "conflict", "loss" })
        {
            After(unit, failure, "InTransaction");
            waits.Add(unit.Delay.TotalMilliseconds);
        }

        CollectionAssert.AreEqual(new[] { 2.5, 10, 5, 20, 10, 40 }, waits);
    }

    [TestMethod]
    [DataRow(3, true, 0.0)]
    [DataRow(1, true, 10.0)]
    [DataRow(3, false, 10.0)]
    public void After_a_first_loss_the_open_does_the_waiting_where_several_hosts_are_probed(int hosts, bool probed, double milliseconds)
    {
        _log.Host = new HostRef(
            new FakeRoute(FakeRoute.Hosts(hosts)) { Probe = probed ? (_, _) => Task.FromResult<HostSighting?>(null) : null }, 0);
        var unit = Unit();
        Assert.AreEqual(AfterFailure.Retry, After(unit, "loss", "InTransaction"));
        Assert.AreEqual(milliseconds, unit.Delay.TotalMilliseconds);
        Assert.AreEqual(AfterFailure.Retry, After(unit, "loss", "InTransaction"));
        Assert.AreEqual(20, unit.Delay.TotalMilliseconds, "Somebody ends connections again and again.");
    }

    [TestMethod]
    [DataRow("conflict", true, false)]
    [DataRow("40P01", true, true)]
    [DataRow("55P03", true, true)]
    [DataRow("55P04", false, false)]
    public void A_lock_that_was_waited_for_in_vain_is_a_lost_conflict_where_that_is_retried(string failure, bool lost, bool stalled)
    {
        var unit = Unit(options => options.RetriableSqlStates.UnionWith(["55P03", "55P04"]));
        Assert.AreEqual(AfterFailure.Retry, After(unit, failure, "InTransaction"));
        Assert.AreEqual(lost, unit.LostConflict);
        Assert.AreEqual(stalled, unit.IsStalled);
        Assert.AreEqual(lost ? 2.5 : 10, unit.Delay.TotalMilliseconds, "A lock is free again as soon as after a conflict.");
        Assert.AreEqual(AfterFailure.Surface, After(Unit(), "55P03", "InTransaction"));
    }

    [TestMethod]
    public void A_write_refused_by_a_host_that_takes_writes_was_refused_by_its_transaction()
    {
        var unit = Unit();
        _log.ServerIsReadOnly = false;
        Assert.AreEqual(AfterFailure.Surface, After(unit, "read-only", "InTransaction"));
        _log.ServerIsReadOnly = true;
        Assert.AreEqual(AfterFailure.Retry, After(unit, "read-only", "InTransaction"));
    }

    [TestMethod]
    public void A_unit_whose_write_a_standby_refused_moves_to_the_primary_at_once_where_the_target_is_a_preference()
    {
        var route = new FakeRoute(FakeRoute.Hosts(3));
        route.Cluster.Saw(1, HostRole.Standby);
        _log.BeginUnit(idempotent: false, requiresPrimary: false);
        _log.Opened(new HostRef(route, 1), TargetSession.PreferStandby);
        var unit = Unit();

        Assert.AreEqual(AfterFailure.Retry, After(unit, "read-only", "InTransaction"));

        Assert.AreEqual(TimeSpan.Zero, unit.Delay);
        Assert.IsTrue(_log.RequiresPrimary);
        Assert.AreEqual(HostRole.Standby, route.Cluster[1].Role, "It is what it is taken for.");
        Assert.IsEmpty(route.Cleared);
        _log.EndUnit();
        Assert.IsFalse(_log.RequiresPrimary);
    }

    [TestMethod]
    public void A_write_under_a_target_that_takes_none_is_an_error_that_tells_what_to_do()
    {
        _log.Opened(Host("reader"), TargetSession.Standby);
        var unit = Unit();

        Assert.AreEqual(AfterFailure.Throw, After(unit, "read-only", "InTransaction"));

        Assert.IsInstanceOfType<InvalidOperationException>(unit.Error);
        Assert.Contains("Write outside of UseTargetSession(Standby), or use PreferStandby", unit.Error!.Message);
        Assert.AreSame(unit.Exceptions[0], unit.Error.InnerException);
    }

    [TestMethod]
    [DataRow(TargetSession.Any, true, true)]
    [DataRow(TargetSession.Any, false, false)]
    [DataRow(TargetSession.PreferPrimary, false, true)]
    [DataRow(TargetSession.PreferStandby, true, false)]
    [DataRow(TargetSession.ReadOnly, true, false)]
    public void A_refused_write_makes_the_unit_wait_for_a_primary_where_one_was_expected(TargetSession target, bool hadPrimary, bool waits)
    {
        var cluster = FakeRoute.Hosts(1);
        if (hadPrimary)
        {
            cluster.Saw(0, HostRole.Primary);
        }

        _log.Host = new HostRef(new FakeRoute(cluster, target: target), 0);
        Assert.AreEqual(AfterFailure.Retry, After(Unit(), "read-only", "InTransaction"));
        Assert.AreEqual(waits, _log.RequiresPrimary);
        _log.BeginUnit(idempotent: false, requiresPrimary: false);
        Assert.IsFalse(_log.RequiresPrimary, "The next unit is another one.");
    }

    [TestMethod]
    public void The_last_chance_is_told_by_all_attempts_that_were_lost_and_not_by_conflicts_alone()
    {
        _log.Host = Host("chance");
        var unit = Unit(options => options.MaxRetryCount = 3);
        Assert.IsFalse(unit.IsLastChance);
        After(unit, "loss", "InTransaction");
        After(unit, "conflict", "InTransaction");
        Assert.IsFalse(unit.IsLastChance);
        After(unit, "conflict", "InTransaction");
        Assert.IsTrue(unit.IsLastChance);
    }

    [TestMethod]
    [DataRow("loss", true)]
    [DataRow("read-only", true)]
    [DataRow("refused", false)]
    [DataRow("conflict", false)]
    public void After_a_loss_a_unit_believes_no_report_of_a_connection(string failure, bool proof)
    {
        _log.Host = Host("proof");
        After(Unit(), failure, "InTransaction");
        Assert.AreEqual(proof, _log.NeedsProof);
        _log.EndUnit();
        Assert.IsFalse(_log.NeedsProof);
    }

    [TestMethod]
    public void A_statement_that_ran_bare_is_not_run_again_once_it_has_started()
    {
        _log.IsBare = true;
        Assert.AreEqual(AfterFailure.Surface, After(Unit(), "conflict", "WritingAlone"));
        Assert.AreEqual(AfterFailure.Retry, After(Unit(), "refused", "Opening"), "it has not started");
    }

    [TestMethod]
    public void A_doubt_names_the_host_and_keeps_the_cause()
    {
        _log.Host = Host("doubt");
        var unit = Unit();
        Assert.AreEqual(AfterFailure.Throw, After(unit, "loss", "Committing"));

        var error = Assert.IsInstanceOfType<CommitOutcomeUnknownException>(unit.Error);
        Assert.AreEqual("doubt:5432", error.Host);
        Assert.AreSame(unit.Exceptions[0], error.InnerException);
    }

    [TestMethod]
    public void An_unknown_outcome_among_several_failures_surfaces_as_it_is()
    {
        var several = new AggregateException(Exceptions("unknown"), Exceptions("loss"));
        var unit = Unit();
        _log.Enter(AttemptPhase.Committing);
        unit.Judge(several);

        Assert.AreEqual(AfterFailure.Surface, unit.Next());
    }

    internal static Exception Exceptions(string failure)
        => failure switch
        {
            "conflict" => Server(PostgresErrorCodes.SerializationFailure),
            "40002" or "40P01" or "55P03" or "55P04" => Server(failure),
            "unique" => Server(PostgresErrorCodes.UniqueViolation),
            "read-only" => Server(PostgresErrorCodes.ReadOnlySqlTransaction),
            "loss" => new NpgsqlException("Exception while reading from stream", new EndOfStreamException()),
            "refused" => new NpgsqlException("Failed to connect", new SocketException((int)SocketError.ConnectionRefused)),
            "cancelled" => new OperationCanceledException(),
            "unknown" => new CommitOutcomeUnknownException(null, null),
            "own" => new InvalidOperationException("the application's own"),
            _ => throw new ArgumentOutOfRangeException(nameof(failure)),
        };

    private static PostgresException Server(string state) => new("refused", "ERROR", "ERROR", state, routine: "exec_simple_query");

    private static HostRef Host(string name) => new(ConnectionStringRoute.Get($"Host={name}", null, RetrySettings.From(new DbRetryOptions { MaxRetryCount = 3 }), names: null, TimeProvider.System), 0);

    private RetryUnit Unit(Action<DbRetryOptions>? configure = null)
    {
        var options = new DbRetryOptions { MaxRetryCount = 3 };
        configure?.Invoke(options);
        return new RetryUnit(RetrySettings.From(options), _log, _time, new FixedRandom(0.5));
    }

    private AfterFailure After(RetryUnit unit, string failure, string phase, bool? broken = null)
    {
        Judge(unit, failure, phase, broken);
        return unit.Next();
    }

    private void Judge(RetryUnit unit, string failure, string phase, bool? broken = null)
    {
        var exception = Exceptions(failure);
        _log.ForgetLoss();
        if (broken ?? failure is "loss")
        {
            _log.Lost(exception);
        }

        _log.Enter(Enum.Parse<AttemptPhase>(phase));
        unit.Judge(exception);
    }
}
