using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class PauseTests
{
    private readonly ManualTime _time = new() { SkipsWaits = true };

    [TestMethod]
    public async Task No_time_is_not_waited_for()
    {
        _time.Wait(TimeSpan.Zero);
        await _time.WaitAsync(TimeSpan.Zero, CancellationToken.None);
        Assert.IsEmpty(_time.Waits);
    }

    [TestMethod]
    public async Task Waiting_goes_by_the_clock_that_is_given()
    {
        _time.Wait(TimeSpan.FromDays(1));
        await _time.WaitAsync(TimeSpan.FromDays(2), CancellationToken.None);
        CollectionAssert.AreEqual(new[] { TimeSpan.FromDays(1), TimeSpan.FromDays(2) }, _time.Waits.Where(wait => wait > TimeSpan.Zero).ToArray());
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    public async Task Who_has_cancelled_does_not_wait(int days)
        => await Assert.ThrowsAsync<OperationCanceledException>(() => _time.WaitAsync(TimeSpan.FromDays(days), new CancellationToken(canceled: true)));
}
