using DbRetry.EFCore.Retry.Contention;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry.Contention;

[TestClass]
public sealed class LaneLockRuleTests
{
    private const int Lane = 17;
    private const int Another = 18;

    private readonly LaneLockRule _rule = new();

    [TestMethod]
    public void All_take_it_until_it_was_found_free_often_enough()
    {
        Assert.IsTrue(_rule.Locks(Lane, AdmissionRank.Newcomer));
        End(16, LaneLockResult.Free, conflict: false);
        Assert.IsFalse(_rule.Locks(Lane, AdmissionRank.Newcomer));
        Assert.IsFalse(_rule.Locks(Lane, AdmissionRank.Loser));
        Assert.IsTrue(_rule.Locks(Lane, AdmissionRank.Alone), "The last chance.");
    }

    [TestMethod]
    [DataRow(0.05, false, DisplayName = "few have to wait: a lock for everybody costs more than it saves")]
    [DataRow(0.07, true)]
    [DataRow(1.0, true)]
    public void All_take_it_as_long_as_more_than_one_in_seventeen_waits_for_it(double waiting, bool all)
    {
        for (var i = 1; i <= 1000; i++)
        {
            var waits = Math.Floor(i * waiting) > Math.Floor((i - 1) * waiting);
            _rule.Ended(Another, waits ? LaneLockResult.Waited : LaneLockResult.Free, conflict: false, hadCompany: false);
        }

        Assert.AreEqual(all, _rule.Locks(Lane, AdmissionRank.Newcomer));
    }

    [TestMethod]
    public void Who_loses_with_its_lane_to_itself_lost_to_another_process_and_the_next_ones_in_that_lane_take_it()
    {
        End(16, LaneLockResult.Free, conflict: false);
        End(1, LaneLockResult.NotTaken, conflict: true);
        Assert.IsFalse(_rule.Locks(Another, AdmissionRank.Newcomer));
        for (var i = 0; i < 5; i++)
        {
            Assert.IsTrue(_rule.Locks(Lane, AdmissionRank.Newcomer));
            End(1, LaneLockResult.Free, conflict: false);
        }

        Assert.IsFalse(_rule.Locks(Lane, AdmissionRank.Newcomer), "It was free: nobody else wants it.");
    }

    [TestMethod]
    [DataRow(LaneLockResult.Free, false, true, DisplayName = "held it, and lost: somebody does not take it")]
    [DataRow(LaneLockResult.NotTaken, false, true, DisplayName = "did not take it, and lost with its lane to itself")]
    [DataRow(LaneLockResult.Free, true, false, DisplayName = "lost in company of its own process")]
    [DataRow(LaneLockResult.NotTaken, true, false)]
    public void Where_others_have_been_met_all_take_it_again_as_soon_as_units_lose_to_them(object taken, bool hadCompany, bool all)
    {
        End(1, LaneLockResult.Waited, conflict: false);
        End(64, LaneLockResult.Free, conflict: false);
        Assert.IsFalse(_rule.Locks(Another, AdmissionRank.Newcomer));
        for (var i = 0; i < 4; i++)
        {
            _rule.Ended(Lane, (LaneLockResult)taken, conflict: true, hadCompany);
        }

        Assert.AreEqual(all, _rule.Locks(Another, AdmissionRank.Newcomer));
    }

    [TestMethod]
    [DataRow(LaneLockResult.Free)]
    [DataRow(LaneLockResult.NotTaken)]
    public void Where_nobody_had_to_wait_for_it_losses_are_no_evidence_of_others(object taken)
    {
        End(16, LaneLockResult.Free, conflict: false);
        for (var i = 0; i < 100; i++)
        {
            _rule.Ended(Lane, (LaneLockResult)taken, conflict: true, hadCompany: false);
        }

        Assert.IsFalse(_rule.Locks(Another, AdmissionRank.Newcomer));
    }

    [TestMethod]
    public void Who_loses_in_company_is_no_evidence_where_nobody_else_is_suspected()
    {
        End(16, LaneLockResult.Free, conflict: false);
        _rule.Ended(Lane, LaneLockResult.NotTaken, conflict: true, hadCompany: true);
        Assert.IsFalse(_rule.Locks(Lane, AdmissionRank.Newcomer));
    }

    [TestMethod]
    public void Whoever_holds_it_for_too_long_is_passed_by()
    {
        End(1, LaneLockResult.Waited, conflict: false);
        End(1, LaneLockResult.TimedOut, conflict: false);
        Assert.IsFalse(_rule.Locks(Lane, AdmissionRank.Newcomer));
    }

    [TestMethod]
    public void What_the_server_refuses_is_not_asked_for_again()
    {
        End(1, LaneLockResult.Waited, conflict: false);
        End(1, LaneLockResult.Refused, conflict: false);
        Assert.IsFalse(_rule.Locks(Lane, AdmissionRank.Alone));
    }

    [TestMethod]
    [DataRow("55P03", LaneLockResult.TimedOut, DisplayName = "lock_timeout, ours")]
    [DataRow("57014", LaneLockResult.TimedOut, DisplayName = "statement_timeout, the application's")]
    [DataRow("40P01", LaneLockResult.TimedOut, DisplayName = "deadlock")]
    [DataRow("42501", LaneLockResult.Refused, DisplayName = "no privilege")]
    [DataRow("0A000", LaneLockResult.Refused, DisplayName = "a server that has no such locks")]
    [DataRow("53200", LaneLockResult.Refused, DisplayName = "the table of locks is full")]
    public void No_error_of_the_lock_is_one_of_the_unit(string sqlState, object result)
        => Assert.AreEqual((LaneLockResult)result, LaneLockRule.Result(new PostgresException("", "ERROR", "ERROR", sqlState)));

    [TestMethod]
    public void Cancellation_and_lost_connections_are_the_callers()
    {
        Assert.IsNull(LaneLockRule.Result(new OperationCanceledException("", new PostgresException("", "ERROR", "ERROR", "57014"))));
        Assert.IsNull(LaneLockRule.Result(new NpgsqlException("", new IOException())));
        Assert.AreEqual(LaneLockResult.TimedOut, LaneLockRule.Result(new NpgsqlException("", new TimeoutException())));
    }

    private void End(int attempts, LaneLockResult taken, bool conflict)
    {
        for (var i = 0; i < attempts; i++)
        {
            _rule.Ended(Lane, taken, conflict, hadCompany: false);
        }
    }
}
