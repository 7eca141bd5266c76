using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class BackoffTests
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Cap = TimeSpan.FromMilliseconds(250);

    [TestMethod]
    [DataRow(int.MinValue, 5)]
    [DataRow(0, 5)]
    [DataRow(1, 5)]
    [DataRow(2, 10)]
    [DataRow(3, 20)]
    [DataRow(6, 160)]
    [DataRow(7, 250)]
    [DataRow(8, 250)]
    [DataRow(int.MaxValue, 250)]
    public void the_bound_doubles_up_to_the_cap(int retry, int milliseconds)
        => Assert.AreEqual(TimeSpan.FromMilliseconds(milliseconds), Backoff.UpperBound(retry, First, Cap));

    /// <summary>App-vNext/Polly issue 2163: the doubling overflows, and the waits become negative or endless.</summary>
    [TestMethod]
    public void polly_2163_the_bound_never_shrinks_at_any_retry()
    {
        foreach (var first in new[] { TimeSpan.FromTicks(1), First, TimeSpan.FromDays(1), TimeSpan.MaxValue })
        {
            foreach (var cap in new[] { first, TimeSpan.MaxValue })
            {
                var before = TimeSpan.Zero;
                for (var retry = 1; retry <= 2_000; retry++)
                {
                    var bound = Backoff.UpperBound(retry, first, cap);
                    Assert.IsTrue(bound >= before && bound <= cap, $"{first} {cap} {retry}: {bound} after {before}");
                    Assert.IsTrue(Backoff.Next(retry, first, cap, Math.BitDecrement(1.0)) is var most && most >= TimeSpan.Zero && most <= bound);
                    before = bound;
                }
            }
        }
    }

    [TestMethod]
    [DataRow(0.0, 0.0)]
    [DataRow(0.25, 5.0)]
    [DataRow(0.5, 10.0)]
    public void the_jitter_is_full(double random01, double milliseconds)
        => Assert.AreEqual(TimeSpan.FromMilliseconds(milliseconds), Backoff.Next(3, First, Cap, random01));

    [TestMethod]
    public void a_cap_below_the_first_bound_wins()
        => Assert.AreEqual(TimeSpan.FromMilliseconds(1), Backoff.UpperBound(1, First, TimeSpan.FromMilliseconds(1)));
}
