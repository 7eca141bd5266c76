using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Retry.Contention;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry.Contention;

[TestClass]
public sealed class UnitAdmissionTests
{
    private static readonly TimeSpan Otherwise = TimeSpan.FromMilliseconds(3);

    private static readonly AdmissionPass Alone = new(IsAlone: true);

    private readonly ManualTime _time = new();
    private readonly AdmissionGates _gates;
    private readonly UnitKind _kind = Kind(nameof(HotRowTests));
    private readonly RetrySettings _settings = RetrySettings.From(new DbRetryOptions { MaxRetryCount = 5 });

    public UnitAdmissionTests() => _gates = new AdmissionGates(_time);

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public void There_is_no_gate_before_somebody_has_lost_a_conflict()
    {
        var unit = Unit();
        unit.Enter();
        unit.Leave(conflict: false);
        Assert.IsFalse(_gates.Any);
        Assert.AreEqual(Otherwise, unit.Pause(Otherwise, 0.5));

        Unit().Leave(conflict: true);
        Assert.IsTrue(_gates.Any);
        Assert.IsNull(_gates.Find(Kind("another")));
    }

    [TestMethod]
    public async Task A_unit_inside_a_unit_never_waits_for_the_one_that_waits_for_it()
    {
        Narrow();
        var outer = Unit();
        outer.Enter();

        var inner = Unit();
        Assert.IsNull(await inner.EnterAsync(Cancellation));
        inner.Leave(conflict: true);
        outer.Leave(conflict: false);

        var next = Unit();
        Assert.IsNotNull(await next.EnterAsync(Cancellation), "Outside of it there is a gate to pass.");
    }

    [TestMethod]
    [DataRow(5, 3)]
    [DataRow(2, 2)]
    [DataRow(1, 1)]
    public async Task The_last_chance_is_taken_alone(int maxRetryCount, int losses)
    {
        var unit = new UnitAdmission(_gates, _kind, _settings with { MaxRetryCount = maxRetryCount });
        for (var lost = 0; lost < losses; lost++)
        {
            var pass = await unit.EnterAsync(Cancellation);
            Assert.AreNotEqual(Alone, pass);
            unit.Entered(pass);
            unit.Leave(conflict: true);
        }

        Assert.AreEqual(Alone, await unit.EnterAsync(Cancellation));
    }

    [TestMethod]
    public void Behind_a_gate_nobody_pauses_unless_others_than_those_behind_it_are_in_the_way()
    {
        var gate = Narrow();
        var unit = Unit();
        Assert.AreEqual(TimeSpan.Zero, unit.Pause(Otherwise, 0.5));

        while (gate.Overload < 3)
        {
            gate.Missed();
        }

        Assert.AreEqual(_settings.ConflictDelay * 2, unit.Pause(Otherwise, 0.5), "Three doublings of the bound, half of it.");
    }

    [TestMethod]
    public async Task The_last_attempt_of_a_unit_runs_alone_whatever_the_others_were_lost_by()
    {
        Narrow();
        var unit = Unit();
        unit.Leave(conflict: false);
        unit.IsLastChance = true;
        Assert.AreEqual(Alone, await unit.EnterAsync(Cancellation));
    }

    [TestMethod]
    public void Before_its_last_chance_a_unit_gives_those_time_to_end_who_began_before_there_was_a_gate()
    {
        Narrow();
        var unit = Unit();
        Assert.AreEqual(TimeSpan.Zero, unit.Pause(Otherwise, 0.5));
        unit.IsLastChance = true;
        Assert.AreEqual(_settings.ConflictDelay * 12, unit.Pause(Otherwise, 0.5));
        _time.Advance(_settings.ConflictDelay * 4);
        Assert.AreEqual(_settings.ConflictDelay * 8, unit.Pause(Otherwise, 0.5));
        _time.Advance(_settings.ConflictDelay * 8);
        Assert.AreEqual(TimeSpan.Zero, unit.Pause(Otherwise, 0.5), "They have ended.");
    }

    [TestMethod]
    [DataRow(LaneLockResult.Free, true)]
    [DataRow(LaneLockResult.Waited, true)]
    [DataRow(LaneLockResult.NotTaken, false)]
    [DataRow(LaneLockResult.Refused, false)]
    public void Before_its_last_chance_a_unit_gives_a_process_that_takes_no_lock_time_to_learn_it(object taken, bool waits)
    {
        using var row = Statement(1);
        Narrow();
        _time.Advance(TimeSpan.FromMinutes(1));
        var unit = Unit();
        unit.Enter();
        unit.Send(row);
        unit.Took((LaneLockResult)taken);
        unit.Leave(conflict: true);
        Assert.AreEqual(TimeSpan.Zero, unit.Pause(Otherwise, 0.5), "It has other chances.");

        unit.IsLastChance = true;
        Assert.AreEqual(waits ? _settings.ConflictDelay * 12 : TimeSpan.Zero, unit.Pause(Otherwise, 0.5));
    }

    [TestMethod]
    public void A_gate_goes_away_when_nobody_of_its_kind_loses_any_more()
    {
        var unit = Unit();
        unit.Leave(conflict: true);
        for (var i = 0; i < 20 * AdmissionWidth.Window; i++)
        {
            unit.Enter();
            unit.Leave(conflict: false);
            unit = Unit();
        }

        Assert.IsFalse(_gates.Any);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Units_wait_for_those_whose_first_statement_is_like_theirs_once_they_lost_to_each_other(bool async)
    {
        using var row1 = Statement(1);
        using var row2 = Statement(2);
        TakeTurns(row1);
        var (first, second, other) = (Unit(), Unit(), Unit());
        first.Enter();
        first.Send(row1);
        second.Enter();
        var waiting = async ? second.SendAsync(row1, Cancellation).AsTask() : Task.Run(() => second.Send(row1), Cancellation);
        SpinWait.SpinUntil(() => _time.Pending == 1);

        other.Enter();
        Assert.IsTrue(other.SendAsync(row2, Cancellation).AsTask().IsCompletedSuccessfully, "Another row.");
        Assert.IsTrue(first.SendAsync(row2, Cancellation).AsTask().IsCompletedSuccessfully, "Not its first statement.");
        Assert.IsFalse(waiting.IsCompleted);
        first.Leave(conflict: false);
        await waiting;
    }

    [TestMethod]
    public void Where_units_take_turns_nobody_pauses_after_a_conflict()
    {
        using var row = Statement(1);
        var unit = Unit();
        unit.Leave(conflict: true);
        Assert.AreEqual(Otherwise, unit.Pause(Otherwise, 0.5));
        TakeTurns(row);
        Assert.AreEqual(TimeSpan.Zero, unit.Pause(Otherwise, 0.5));
    }

    private static NpgsqlCommand Statement(int row) => new("select … where id = @id") { Parameters = { new("id", row) } };

    private static UnitKind Kind(string name)
        => new(new Cluster([new HostEndpoint(name, 5432)]), typeof(UnitAdmissionTests).GetMethod(nameof(There_is_no_gate_before_somebody_has_lost_a_conflict))!, typeof(DbContext));

    private void TakeTurns(NpgsqlCommand statement)
    {
        var gate = _gates.Get(_kind);
        var lane = StatementKey.Of(statement);
        gate.Leave(gate.EnterLane(gate.Enter(AdmissionRank.Newcomer), AdmissionRank.Newcomer, lane) with { Lock = LaneLockResult.Refused }, conflict: false);
        var first = gate.EnterLane(gate.Enter(AdmissionRank.Newcomer), AdmissionRank.Newcomer, lane);
        while (!gate.IsQueueing)
        {
            gate.Leave(gate.EnterLane(gate.Enter(AdmissionRank.Newcomer), AdmissionRank.Newcomer, lane), conflict: true);
        }

        gate.Leave(first, conflict: false);
        Assert.AreEqual(AdmissionWidth.Open, gate.Width);
    }

    private UnitAdmission Unit() => new(_gates, _kind, _settings);

    private AdmissionGate Narrow()
    {
        var gate = _gates.Get(_kind);
        while (gate.Width > 1)
        {
            gate.Missed();
        }

        return gate;
    }
}
