using DbRetry.EFCore.Retry.Contention;

namespace DbRetry.EFCore.Tests.Retry.Contention;

[TestClass]
public sealed class AdmissionWidthTests
{
    private const int Writers = 16;

    private readonly AdmissionWidth _width = new();
    private int _attempts;

    [TestMethod]
    public void Nobody_waits_as_long_as_conflicts_are_rare()
    {
        Run(windows: 50, _ => 0.2);
        Assert.AreEqual(AdmissionWidth.Open, _width.Current);
    }

    [TestMethod]
    [DataRow(0.30, AdmissionWidth.Open, DisplayName = "what one row too few for everybody costs is borne")]
    [DataRow(0.40, Writers - 1, DisplayName = "too many: one less")]
    [DataRow(0.60, Writers / 2, DisplayName = "far too many: half of those that ran")]
    public void The_first_window_decides_by_the_share_that_was_lost(double lost, int width)
    {
        Run(windows: 1, _ => lost);
        Assert.AreEqual(width, _width.Current);
    }

    [TestMethod]
    public void On_one_hot_row_one_runs_after_the_other_and_others_are_tried_ever_more_rarely()
    {
        Run(windows: 4, OneRow);
        Assert.AreEqual(1, _width.Current);

        var wider = Enumerable.Range(0, 400).Count(_ =>
        {
            Run(windows: 1, OneRow);
            return _width.Current > 1;
        });

        Assert.IsGreaterThan(0, wider);
        Assert.IsLessThan(8, wider);
    }

    [TestMethod]
    public void Where_a_few_at_a_time_lose_little_they_run_at_a_time()
    {
        // As measured on four rows: the share by the number that run at once.
        Run(windows: 200, width => width switch { 1 => 0.0, 2 => 0.16, 3 => 0.28, 4 => 0.34, 5 => 0.39, 6 => 0.41, 7 => 0.44, _ => 0.58 });
        Assert.IsInRange(3, 5, _width.Current);
    }

    [TestMethod]
    public void Once_the_row_is_not_hot_any_more_nobody_waits_and_nothing_is_counted()
    {
        Run(windows: 50, OneRow);
        Assert.AreEqual(1, _width.Current);
        Run(windows: 200, _ => 0);
        Assert.AreEqual(AdmissionWidth.Open, _width.Current);
        Assert.IsTrue(_width.IsCalm);
    }

    [TestMethod]
    public void Conflicts_with_others_that_no_width_avoids_make_pauses_longer_and_shorter_again()
    {
        Run(windows: 10, _ => 0.7);
        Assert.AreEqual(1, _width.Current);
        Assert.IsGreaterThan(3, _width.Overload);

        Run(windows: 100, _ => 0.7);
        Assert.AreEqual(AdmissionWidth.MostOverload, _width.Overload);

        Run(windows: AdmissionWidth.MostOverload, _ => 0.1);
        Assert.AreEqual(0, _width.Overload);
        Assert.AreEqual(1, _width.Current, "Pauses end before more are let in.");
    }

    [TestMethod]
    [DataRow(false, AdmissionWidth.Open)]
    [DataRow(true, 1)]
    public void A_loss_that_the_server_took_its_time_to_find_counts_for_several(bool stalled, int width)
    {
        for (var ended = 0; ended < 10 * AdmissionWidth.Window; ended++)
        {
            _width.Ended(
                ended % 10 != 0 ? AttemptEnd.Untroubled : stalled ? AttemptEnd.Stalled : AttemptEnd.Lost, Math.Min(_width.Current, Writers));
        }

        Assert.AreEqual(width, _width.Current);
    }

    private static double OneRow(int width) => width == 1 ? 0 : 1 - (1.0 / Math.Min(width, 2)) - 0.05 + (Math.Min(width, 4) * 0.01);

    // Losses are spread evenly, so that each window loses the share that it should.
    private void Run(int windows, Func<int, double> lost)
    {
        for (var ended = 0; ended < windows * AdmissionWidth.Window; ended++)
        {
            var running = Math.Min(_width.Current, Writers);
            var share = lost(running);
            _attempts++;
            _width.Ended(Math.Floor(_attempts * share) > Math.Floor((_attempts - 1) * share) ? AttemptEnd.Lost : AttemptEnd.Untroubled, running);
        }
    }
}
