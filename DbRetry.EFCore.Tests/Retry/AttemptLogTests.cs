using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Retry.Fencing;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class AttemptLogTests
{
    private readonly AttemptLog _log = new();

    [TestMethod]
    [DataRow("select 1", "ReadingAlone")]
    [DataRow("update t set n = 1", "WritingAlone")]
    public void A_lone_statement_is_told_by_what_it_does(string sql, string phase)
    {
        _log.EnterLoneStatement(CommandSource.ExecuteSqlRaw, sql);
        Assert.AreEqual(phase, _log.Phase.ToString());

        _log.FinishStatement();
        Assert.AreEqual(AttemptPhase.None, _log.Phase);
    }

    [TestMethod]
    public void A_statement_in_a_transaction_stays_part_of_it_when_it_is_answered()
    {
        _log.EnterStatementInTransaction(CommandSource.ExecuteSqlRaw, "update t set n = 1");
        _log.EnterStatementInTransaction(CommandSource.LinqQuery, "select 1");
        _log.FinishStatement();

        Assert.AreEqual(AttemptPhase.InTransaction, _log.Phase);
        Assert.IsTrue(_log.MayHaveWritten);

        _log.BeginTransaction();
        Assert.IsFalse(_log.MayHaveWritten);
    }

    [TestMethod]
    public void The_first_failure_of_a_unit_counts_until_the_unit_ends()
    {
        _log.BeginUnit(idempotent: true, requiresPrimary: true);
        _log.Failed(1);
        _log.Failed(2);
        _log.BeginAttempt();
        Assert.AreEqual(1, _log.FirstFailureAt);
        Assert.IsTrue(_log is { IsRunning: true, IsIdempotent: true, RequiresPrimary: true });

        _log.EndUnit();
        Assert.IsNull(_log.FirstFailureAt);
        Assert.IsFalse(_log.IsRunning || _log.IsIdempotent || _log.RequiresPrimary);
    }

    [TestMethod]
    public void A_new_attempt_knows_nothing_of_the_last_one()
    {
        Fill();
        _log.BeginAttempt();
        Assert.IsTrue(IsBlank());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_context_that_goes_back_to_its_pool_leaves_nothing_behind(bool async)
    {
        Fill();
        IResettableService resettable = _log;
        if (async)
        {
            await resettable.ResetStateAsync(CancellationToken.None);
        }
        else
        {
            resettable.ResetState();
        }

        Assert.IsTrue(IsBlank());
        Assert.IsTrue(_log is { IsRunning: false, Host: null, FirstFailureAt: null, LeftBehind: null });
    }

    private void Fill()
    {
        _log.BeginUnit(idempotent: true, requiresPrimary: true);
        _log.Failed(1);
        _log.Enter(AttemptPhase.Committing);
        _log.Lost(new NpgsqlException("lost"));
        _log.IsBare = true;
        _log.FailureInTransaction = new NpgsqlException("failed");
        _log.ServerIsReadOnly = true;
        _log.LeftBehind = new ServerSession(new NpgsqlConnection(), "log", 5432, 7, 0);
        _log.Host = new HostRef(new CallersRoute(new NpgsqlConnection("Host=log")), 0);
    }

    private bool IsBlank()
        => _log is
        {
            Phase: AttemptPhase.None,
            IsConnectionBroken: false,
            ConnectionLoss: null,
            LostSession: null,
            IsBare: false,
            FailureInTransaction: null,
            ServerIsReadOnly: null,
        };
}
