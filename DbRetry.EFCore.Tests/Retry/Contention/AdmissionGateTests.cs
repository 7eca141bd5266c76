using DbRetry.EFCore.Retry.Contention;

namespace DbRetry.EFCore.Tests.Retry.Contention;

[TestClass]
public sealed class AdmissionGateTests
{
    private static readonly AdmissionPass Alone = new(IsAlone: true);
    private static readonly AdmissionPass Beside = new(IsAlone: false);

    private readonly ManualTime _time = new();
    private readonly AdmissionGate _gate;

    public AdmissionGateTests() => _gate = new AdmissionGate(_time);

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public void An_open_gate_lets_everybody_in()
    {
        for (var i = 0; i < 100; i++)
        {
            Assert.AreEqual(Beside, _gate.Enter(AdmissionRank.Newcomer));
        }
    }

    [TestMethod]
    public async Task Losers_go_before_newcomers_and_each_in_the_order_in_which_they_came()
    {
        NarrowToOne();
        await EnterAsync(AdmissionRank.Newcomer);
        var order = new List<string>();
        var waiting = new List<Task>();
        foreach (var (name, rank) in new[]
        {
            ("new 1", AdmissionRank.Newcomer), ("new 2", AdmissionRank.Newcomer), ("lost 1", AdmissionRank.Loser), ("lost 2", AdmissionRank.Loser),
        })
        {
            waiting.Add(EnterAndLeaveAsync(name, rank));
        }

        _gate.Leave(Beside, conflict: false);
        await Task.WhenAll(waiting);

        Assert.AreEqual("lost 1, lost 2, new 1, new 2", string.Join(", ", order));

        async Task EnterAndLeaveAsync(string name, AdmissionRank rank)
        {
            var pass = await EnterAsync(rank);
            order.Add(name);
            _gate.Leave(pass, conflict: false);
        }
    }

    [TestMethod]
    public async Task Who_lost_too_often_is_let_in_when_the_others_are_out_and_nobody_with_it()
    {
        await EnterAsync(AdmissionRank.Newcomer);
        await EnterAsync(AdmissionRank.Newcomer);
        var alone = EnterAsync(AdmissionRank.Alone);
        var behind = EnterAsync(AdmissionRank.Loser);

        _gate.Leave(Beside, conflict: false);
        Assert.IsFalse(alone.IsCompleted, "One is still running.");
        _gate.Leave(Beside, conflict: false);

        Assert.AreEqual(Alone, await alone);
        Assert.IsFalse(behind.IsCompleted);
        _gate.Leave(Alone, conflict: false);
        Assert.AreEqual(Beside, await behind);
    }

    [TestMethod]
    public async Task Who_is_cancelled_while_it_waits_leaves_its_place_to_the_next()
    {
        NarrowToOne();
        await EnterAsync(AdmissionRank.Newcomer);
        using var source = new CancellationTokenSource();
        var cancelled = _gate.EnterAsync(AdmissionRank.Newcomer, source.Token).AsTask();
        var next = EnterAsync(AdmissionRank.Newcomer);

        await source.CancelAsync();
        var error = await Assert.ThrowsAsync<OperationCanceledException>(() => cancelled);
        Assert.AreEqual(source.Token, error.CancellationToken);
        _gate.Leave(Beside, conflict: false);
        await next;
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_unit_that_hangs_holds_up_nobody_for_ever(bool async)
    {
        NarrowToOne();
        await EnterAsync(AdmissionRank.Newcomer);
        var waiting = async ? EnterAsync(AdmissionRank.Newcomer) : Task.Run(() => _gate.Enter(AdmissionRank.Newcomer), Cancellation);
        SpinWait.SpinUntil(() => _time.Pending == 1);

        _time.Advance(AdmissionGate.LongestWait - TimeSpan.FromTicks(1));
        Assert.IsFalse(waiting.IsCompleted);
        _time.Advance(TimeSpan.FromTicks(1));

        Assert.AreEqual(Beside, await waiting);
    }

    [TestMethod]
    public async Task Synchronous_and_asynchronous_callers_share_one_queue()
    {
        NarrowToOne();
        await EnterAsync(AdmissionRank.Newcomer);
        var blocked = Task.Run(() => _gate.Enter(AdmissionRank.Newcomer), Cancellation);
        SpinWait.SpinUntil(() => _time.Pending == 1);
        var second = EnterAsync(AdmissionRank.Newcomer);

        _gate.Leave(Beside, conflict: false);
        await blocked;
        Assert.IsFalse(second.IsCompleted);
        _gate.Leave(Beside, conflict: false);
        await second;
        Assert.AreEqual(0, _time.Pending, "No timer is left behind.");
    }

    [TestMethod]
    public async Task In_a_lane_losers_go_before_newcomers_and_another_lane_is_free()
    {
        TakeTurns();
        var first = await BeginAsync(AdmissionRank.Newcomer, lane: 1);
        var order = new List<string>();
        var waiting = new List<Task>();
        foreach (var (name, rank) in new[]
        {
            ("new 1", AdmissionRank.Newcomer), ("lost 1", AdmissionRank.Loser), ("lost 2", AdmissionRank.Loser), ("new 2", AdmissionRank.Newcomer),
        })
        {
            waiting.Add(BeginAndLeaveAsync(name, rank));
        }

        _gate.Leave(await BeginAsync(AdmissionRank.Newcomer, lane: 2), conflict: false);
        Assert.IsEmpty(order);
        _gate.Leave(first, conflict: false);
        await Task.WhenAll(waiting);

        Assert.AreEqual("lost 1, lost 2, new 1, new 2", string.Join(", ", order));

        async Task BeginAndLeaveAsync(string name, AdmissionRank rank)
        {
            var pass = await BeginAsync(rank, lane: 1);
            order.Add(name);
            _gate.Leave(pass, conflict: false);
        }
    }

    [TestMethod]
    public async Task Who_waits_for_a_lane_takes_nobodys_room()
    {
        TakeTurns();
        await NarrowToTwoAsync();
        var first = await BeginAsync(AdmissionRank.Newcomer, lane: 1);
        var second = BeginAsync(AdmissionRank.Newcomer, lane: 1);
        var other = await BeginAsync(AdmissionRank.Newcomer, lane: 2);
        var outside = EnterAsync(AdmissionRank.Newcomer);

        Assert.IsFalse(second.IsCompleted);
        Assert.IsFalse(outside.IsCompleted);
        _gate.Leave(other, conflict: false);
        await outside;
        Assert.IsFalse(second.IsCompleted, "Its lane is not free.");
        _gate.Leave(first, conflict: false);
        Assert.AreEqual(1, (await second).Lane);
    }

    [TestMethod]
    public async Task Who_is_cancelled_while_it_waits_for_a_lane_runs_on_until_it_leaves()
    {
        TakeTurns();
        var first = await BeginAsync(AdmissionRank.Newcomer, lane: 1);
        using var source = new CancellationTokenSource();
        var pass = await EnterAsync(AdmissionRank.Newcomer);
        var cancelled = _gate.EnterLaneAsync(pass, AdmissionRank.Newcomer, 1, source.Token).AsTask();

        await source.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => cancelled);
        _gate.Leave(first, conflict: false);
        var alone = EnterAsync(AdmissionRank.Alone);
        Assert.IsFalse(alone.IsCompleted);
        _gate.Leave(pass, conflict: false);

        Assert.AreEqual(Alone, await alone);
    }

    [TestMethod]
    public async Task Whoever_holds_a_lane_and_hangs_is_passed_by_after_a_while()
    {
        TakeTurns();
        await BeginAsync(AdmissionRank.Newcomer, lane: 1);
        var second = BeginAsync(AdmissionRank.Newcomer, lane: 1);
        _time.Advance(AdmissionGate.LongestWait);

        Assert.IsTrue((await second).IsBeside);
    }

    [TestMethod]
    public async Task When_many_wait_for_lanes_newcomers_wait_before_they_open_a_connection()
    {
        TakeTurns();
        var first = await BeginAsync(AdmissionRank.Newcomer, lane: 1);
        var waiting = Enumerable.Range(0, AdmissionQueue.MostInLanes).Select(_ => BeginAsync(AdmissionRank.Newcomer, lane: 1)).ToArray();
        var outside = EnterAsync(AdmissionRank.Newcomer);

        Assert.IsFalse(outside.IsCompleted);
        Assert.IsTrue(EnterAsync(AdmissionRank.Loser).IsCompletedSuccessfully);
        _gate.Leave(first, conflict: false);
        await outside;
        await waiting[0];
        Assert.IsFalse(waiting[1].IsCompleted);
    }

    [TestMethod]
    public async Task Whoever_takes_its_turn_among_other_processes_has_its_lane_to_itself()
    {
        var first = await BeginAsync(AdmissionRank.Newcomer, lane: 1);
        Assert.IsTrue(first.NeedsLock);
        var second = BeginAsync(AdmissionRank.Newcomer, lane: 1);
        Assert.IsFalse(second.IsCompleted);
        _gate.Leave(first with { Lock = LaneLockResult.Free }, conflict: false);
        Assert.IsFalse((await second).IsBeside);
    }

    [TestMethod]
    public async Task Once_it_was_found_free_often_enough_nobody_takes_a_turn_among_other_processes()
    {
        var taken = 0;
        while (await BeginAsync(AdmissionRank.Newcomer, lane: taken) is { NeedsLock: true } pass)
        {
            _gate.Leave(pass with { Lock = LaneLockResult.Free }, conflict: false);
            taken++;
        }

        Assert.AreEqual(16, taken);
    }

    [TestMethod]
    public void A_gate_stays_as_long_as_those_of_one_lane_would_lose_to_each_other()
    {
        TakeTurns();
        for (var i = 0; i < 100 * AdmissionWidth.Window; i++)
        {
            _gate.Leave(_gate.Enter(AdmissionRank.Newcomer) with { HasWaited = i % 16 == 0 }, conflict: false);
        }

        Assert.IsFalse(_gate.IsCalm);
    }

    private void TakeTurns()
    {
        SuspectNobody();
        var first = _gate.EnterLane(_gate.Enter(AdmissionRank.Newcomer), AdmissionRank.Newcomer, 0);
        while (!_gate.IsQueueing)
        {
            _gate.Leave(_gate.EnterLane(_gate.Enter(AdmissionRank.Newcomer), AdmissionRank.Newcomer, 0), conflict: true);
        }

        _gate.Leave(first, conflict: false);
        Assert.AreEqual(AdmissionWidth.Open, _gate.Width);
    }

    // Other processes are out of the question where there are no locks.
    private void SuspectNobody()
        => _gate.Leave(
            _gate.EnterLane(_gate.Enter(AdmissionRank.Newcomer), AdmissionRank.Newcomer, 0) with { Lock = LaneLockResult.Refused }, conflict: false);

    private async Task<AdmissionPass> BeginAsync(AdmissionRank rank, int lane)
        => await _gate.EnterLaneAsync(await EnterAsync(rank), rank, lane, Cancellation);

    private void NarrowToOne()
    {
        while (_gate.Width > 1)
        {
            _gate.Missed();
        }
    }

    // Half of the five that ran when they lost.
    private async Task NarrowToTwoAsync()
    {
        var running = new List<AdmissionPass>();
        while (running.Count < 4)
        {
            running.Add(await EnterAsync(AdmissionRank.Newcomer));
        }

        while (_gate.Width == AdmissionWidth.Open)
        {
            _gate.Missed();
        }

        Assert.AreEqual(2, _gate.Width);
        running.ForEach(pass => _gate.Leave(pass, conflict: false));
    }

    private Task<AdmissionPass> EnterAsync(AdmissionRank rank) => _gate.EnterAsync(rank, Cancellation).AsTask();
}
