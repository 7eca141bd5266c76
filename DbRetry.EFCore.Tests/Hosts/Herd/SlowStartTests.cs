using DbRetry.EFCore.Hosts.Herd;
using DbRetry.EFCore.Tests.Retry;

namespace DbRetry.EFCore.Tests.Hosts.Herd;

[TestClass]
public sealed class SlowStartTests
{
    private static readonly TimeSpan Took = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Patience = SlowStartRule.Patience(Took);
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(1);

    private readonly ManualTime _time = new();

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Who_waits_goes_in_turn_as_connections_come_back(bool async)
    {
        using var start = await TakenAsync();
        var third = await JoinAsync(start, async);
        var fourth = await JoinAsync(start, async);

        start.Opened(Took);
        start.Opened(Took);
        Assert.AreEqual(2, start.Waiting, "What is open is in use; one more would be a new one.");
        start.Returned();
        await third;
        Assert.AreEqual(1, start.Waiting);
        Assert.IsFalse(fourth.IsCompleted);
        start.Returned();
        await fourth;
    }

    [TestMethod]
    public async Task What_came_back_for_nobody_is_there_for_the_next_one()
    {
        using var start = await TakenAsync();
        start.Opened(Took);
        for (var i = 0; i < 10; i++)
        {
            start.Returned();
            Assert.IsTrue(start.EnterAsync(Cancellation).IsCompletedSuccessfully);
        }

        Assert.IsFalse(start.EnterAsync(Cancellation).IsCompleted);
    }

    [TestMethod]
    public async Task What_others_return_makes_no_more_than_two_places()
    {
        using var start = new SlowStart(_time);
        start.Returned();
        start.Returned();

        await start.EnterAsync(Cancellation);
        await start.EnterAsync(Cancellation);
        Assert.IsFalse(start.EnterAsync(Cancellation).IsCompleted);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Work_that_holds_its_connections_keeps_others_waiting_for_a_moment_only(bool async)
    {
        using var start = await TakenAsync();
        var others = new[] { await JoinAsync(start, async), await JoinAsync(start, async) };
        start.Opened(Took);
        _time.Advance(Patience - Moment);
        start.Opened(Took); // The first one counts.
        Assert.IsFalse(start.IsOver);

        _time.Advance(Moment);
        Assert.IsTrue(start.IsOver);
        await Task.WhenAll(others);
        for (var i = 0; i < 10; i++)
        {
            Assert.IsTrue(start.EnterAsync(Cancellation).IsCompletedSuccessfully, "From now on everybody opens as he likes.");
        }

        Assert.AreEqual(0, _time.Pending, "No timer is left.");
    }

    [TestMethod]
    public async Task A_host_that_lets_nobody_in_keeps_nobody_waiting_behind_those_who_try()
    {
        using var start = await TakenAsync();
        var third = start.EnterAsync(Cancellation);

        _time.Advance(SlowStartRule.LongestOpen - Moment);
        Assert.IsFalse(third.IsCompleted);
        _time.Advance(Moment);
        await third;
        Assert.IsTrue(start.IsOver);
    }

    [TestMethod]
    public async Task After_an_open_that_fails_everybody_learns_it_from_the_host()
    {
        using var start = await TakenAsync();
        var others = new[] { start.EnterAsync(Cancellation), start.EnterAsync(Cancellation) };

        start.Opened(null);
        await Task.WhenAll(others);
        Assert.IsTrue(start.IsOver);
    }

    [TestMethod]
    public async Task Who_cancels_leaves_at_once_and_takes_nobodys_turn()
    {
        using var start = await TakenAsync();
        using var source = new CancellationTokenSource();
        var third = start.EnterAsync(source.Token);
        var fourth = start.EnterAsync(Cancellation);

        await source.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => third);
        Assert.AreEqual(1, start.Waiting);
        start.Returned();
        await fourth;
    }

    // Both places are taken.
    private async Task<SlowStart> TakenAsync()
    {
        var start = new SlowStart(_time);
        await start.EnterAsync(Cancellation);
        await start.EnterAsync(Cancellation);
        return start;
    }

    // Returns when it waits.
    private async Task<Task> JoinAsync(SlowStart start, bool async)
    {
        var before = start.Waiting;
        var entering = async
            ? start.EnterAsync(Cancellation)
            : Task.Factory.StartNew(start.Enter, Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        while (start.Waiting == before)
        {
            await Task.Delay(1, Cancellation);
        }

        return entering;
    }
}
