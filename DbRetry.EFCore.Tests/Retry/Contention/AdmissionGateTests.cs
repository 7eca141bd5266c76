using DbRetry.EFCore.Retry.Contention;

namespace DbRetry.EFCore.Tests.Retry.Contention;

[TestClass]
public sealed class AdmissionGateTests
{
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
            Assert.IsFalse(_gate.Enter(AdmissionRank.Newcomer));
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

        _gate.Leave(wasAlone: false, conflict: false);
        await Task.WhenAll(waiting);

        Assert.AreEqual("lost 1, lost 2, new 1, new 2", string.Join(", ", order));

        async Task EnterAndLeaveAsync(string name, AdmissionRank rank)
        {
            var alone = await EnterAsync(rank);
            order.Add(name);
            _gate.Leave(alone, conflict: false);
        }
    }

    [TestMethod]
    public async Task Who_lost_too_often_is_let_in_when_the_others_are_out_and_nobody_with_it()
    {
        await EnterAsync(AdmissionRank.Newcomer);
        await EnterAsync(AdmissionRank.Newcomer);
        var alone = EnterAsync(AdmissionRank.Alone);
        var behind = EnterAsync(AdmissionRank.Loser);

        _gate.Leave(wasAlone: false, conflict: false);
        Assert.IsFalse(alone.IsCompleted, "One is still running.");
        _gate.Leave(wasAlone: false, conflict: false);

        Assert.IsTrue(await alone);
        Assert.IsFalse(behind.IsCompleted);
        _gate.Leave(wasAlone: true, conflict: false);
        Assert.IsFalse(await behind);
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
        _gate.Leave(wasAlone: false, conflict: false);
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

        Assert.IsFalse(await waiting);
    }

    [TestMethod]
    public async Task Synchronous_and_asynchronous_callers_share_one_queue()
    {
        NarrowToOne();
        await EnterAsync(AdmissionRank.Newcomer);
        var blocked = Task.Run(() => _gate.Enter(AdmissionRank.Newcomer), Cancellation);
        SpinWait.SpinUntil(() => _time.Pending == 1);
        var second = EnterAsync(AdmissionRank.Newcomer);

        _gate.Leave(wasAlone: false, conflict: false);
        await blocked;
        Assert.IsFalse(second.IsCompleted);
        _gate.Leave(wasAlone: false, conflict: false);
        await second;
        Assert.AreEqual(0, _time.Pending, "No timer is left behind.");
    }

    private void NarrowToOne()
    {
        while (_gate.Width > 1)
        {
            _gate.Missed();
        }
    }

    private Task<bool> EnterAsync(AdmissionRank rank) => _gate.EnterAsync(rank, Cancellation).AsTask();
}
