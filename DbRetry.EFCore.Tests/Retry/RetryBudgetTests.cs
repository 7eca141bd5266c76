using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Tests.Retry;

[TestClass]
public class RetryBudgetTests
{
    [TestMethod]
    public void a_burst_is_granted_and_no_more()
        => Assert.AreEqual(10, Burst(new RetryBudget(10, new StandingClock())));

    [TestMethod]
    [DataRow(1.0, 1)]
    [DataRow(2.5, 2)]
    [DataRow(10.0, 10)]
    [DataRow(3600.0, 10)]
    public void a_tenth_flows_in_per_second_up_to_the_capacity(double seconds, int granted)
    {
        var clock = new StandingClock();
        var budget = new RetryBudget(10, clock);
        Burst(budget);
        clock.Now += TimeSpan.FromSeconds(seconds);
        Assert.AreEqual(granted, Burst(budget));
    }

    [TestMethod]
    public void parts_of_a_token_are_kept()
    {
        var clock = new StandingClock();
        var budget = new RetryBudget(1, clock);
        Burst(budget);
        for (var second = 1; second < 10; second++)
        {
            clock.Now += TimeSpan.FromSeconds(1);
            Assert.IsFalse(budget.TryTake());
        }

        clock.Now += TimeSpan.FromSeconds(1.001);
        Assert.IsTrue(budget.TryTake());
    }

    [TestMethod]
    public void capacity_0_turns_it_off()
        => Assert.AreEqual(1_000, Burst(new RetryBudget(0, new StandingClock())));

    [TestMethod]
    public void no_token_is_granted_twice_to_threads_that_ask_at_once()
    {
        var budget = new RetryBudget(1_000, new StandingClock());
        var granted = 0;
        Parallel.For(0, 5_000, _ =>
        {
            if (budget.TryTake())
            {
                Interlocked.Increment(ref granted);
            }
        });
        Assert.AreEqual(1_000, granted);
    }

    private static int Burst(RetryBudget budget)
    {
        var granted = 0;
        while (granted < 1_000 && budget.TryTake())
        {
            granted++;
        }

        return granted;
    }

    private sealed class StandingClock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
