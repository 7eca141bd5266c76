using DbRetry.EFCore.Retry.Contention;

namespace DbRetry.EFCore.Tests.Retry.Contention;

[TestClass]
public sealed class LaneRuleTests
{
    private readonly LaneRule _rule = new();
    private int _ended;

    [TestMethod]
    [DataRow(0.25, false, DisplayName = "a quarter loses: nobody waits")]
    [DataRow(0.45, true, DisplayName = "nearly half of them lose: they take turns")]
    [DataRow(1.0, true)]
    public void Those_that_are_alike_take_turns_where_more_than_a_third_of_them_lose(double lost, bool takesTurns)
    {
        Assert.IsFalse(_rule.TakesTurns);
        End(200, lost);
        Assert.AreEqual(takesTurns, _rule.TakesTurns);
        Assert.AreEqual(takesTurns, _rule.Waits());
    }

    [TestMethod]
    public void A_few_surprises_change_nothing()
    {
        End(8, lost: 1);
        Assert.IsTrue(_rule.TakesTurns);
        End(15, lost: 0);
        Assert.IsTrue(_rule.TakesTurns);
        End(1, lost: 0);
        Assert.IsFalse(_rule.TakesTurns);
    }

    [TestMethod]
    public void One_of_many_goes_on_all_the_same_so_that_the_end_of_the_conflicts_is_noticed()
    {
        End(8, lost: 1);
        var waited = 0;
        while (_rule.TakesTurns)
        {
            if (_rule.Waits())
            {
                waited++;
            }
            else
            {
                _rule.Ended(conflict: false);
            }
        }

        Assert.AreEqual(16 * (LaneRule.Trial - 1), waited);
    }

    [TestMethod]
    public void One_that_goes_on_all_the_same_and_loses_makes_the_next_ones_rarer_until_one_does_not_lose()
    {
        End(8, lost: 1);
        foreach (var every in (int[])[64, 128, 256, 512, 1024, 1024])
        {
            Assert.AreEqual(every - 1, WaitUntilOneGoesOn());
            _rule.Ended(conflict: true);
        }

        WaitUntilOneGoesOn();
        _rule.Ended(conflict: false);
        Assert.AreEqual(LaneRule.Trial - 1, WaitUntilOneGoesOn());
    }

    private int WaitUntilOneGoesOn()
    {
        var waited = 0;
        while (_rule.Waits())
        {
            waited++;
        }

        return waited;
    }

    private void End(int attempts, double lost)
    {
        for (var i = 0; i < attempts; i++)
        {
            _ended++;
            _rule.Ended(Math.Floor(_ended * lost) > Math.Floor((_ended - 1) * lost));
        }
    }
}
