using DbRetry.EFCore.Hosts.Herd;

namespace DbRetry.EFCore.Tests.Hosts.Herd;

[TestClass]
public sealed class SlowStartRuleTests
{
    [TestMethod]
    [DataRow(0, 0, true)]
    [DataRow(1, 0, true)]
    [DataRow(2, 0, false, DisplayName = "Two are enough for the beginning.")]
    [DataRow(0, 1, false, DisplayName = "Nobody goes before those who came before.")]
    [DataRow(1, 3, false)]
    public void Two_may_have_a_connection_unless_others_wait(int taken, int waiting, bool expected)
        => Assert.AreEqual(expected, SlowStartRule.MayOpen(taken, waiting));

    [TestMethod]
    [DataRow(0, 40, DisplayName = "One from the pool tells nothing about what an open takes.")]
    [DataRow(9, 40)]
    [DataRow(11, 44)]
    [DataRow(25, 100)]
    [DataRow(5000, 100, DisplayName = "Nobody waits for long.")]
    public void Those_who_are_kept_from_opening_wait_a_few_times_what_an_open_takes(int tookMs, int expectedMs)
        => Assert.AreEqual(TimeSpan.FromMilliseconds(expectedMs), SlowStartRule.Patience(TimeSpan.FromMilliseconds(tookMs)));
}
