using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry.Reporting;
using DbRetry.EFCore.Tests.Diagnostics;
using DbRetry.EFCore.Tests.Retry;
using Microsoft.Extensions.Logging;

namespace DbRetry.EFCore.Tests.Hosts;

[TestClass]
public sealed class HostNewsTests
{
    private readonly ManualTime _time = new();
    private readonly Cluster _cluster = FakeRoute.Hosts(3);
    private readonly CollectedLog _log = new();

    [TestMethod]
    public void A_host_is_found_once_and_again_in_another_role()
    {
        _cluster.Saw(0, HostRole.Standby);
        _cluster.Saw(0, HostRole.Standby);
        _cluster.Saw(0, HostRole.Primary);

        AssertTold("a:5432 answers. It is a standby (in recovery).", "a:5432 answers. It is a primary that accepts writes.");
        AssertTold();
    }

    [TestMethod]
    public void A_lost_connection_is_no_news_of_its_host()
    {
        _cluster.Saw(0, HostRole.Primary);
        AssertTold("a:5432 answers. It is a primary that accepts writes.");

        for (var connection = 0; connection < 100; connection++)
        {
            _cluster.Forget(0);
            _cluster.Saw(0, HostRole.Primary);
        }

        AssertTold();
    }

    [TestMethod]
    public void A_host_that_refuses_is_lost_once_and_found_again()
    {
        _cluster.Saw(1, HostRole.Standby);
        _cluster.Failed(1, stalled: false, _time);
        _cluster.Failed(1, stalled: true, _time);
        _cluster.Saw(1, HostRole.Standby);

        AssertTold("b:5432 answers. It is a standby (in recovery).", "b:5432 cannot be connected to.", "b:5432 answers. It is a standby (in recovery).");
    }

    [TestMethod]
    public void A_failover_is_a_warning_that_says_how_long_there_was_no_primary()
    {
        var news = new HostNews(_cluster.Hosts, _time);
        news.FoundPrimary(0);
        news.LostPrimary();
        _time.Advance(TimeSpan.FromSeconds(2));
        news.Failed(0);
        news.LostPrimary();
        _time.Advance(TimeSpan.FromSeconds(1));
        news.FoundPrimary(1);

        var failover = news.LatestFailover!.Event;
        Assert.AreEqual(("b:5432", "a:5432", TimeSpan.FromSeconds(3)), (failover.Host, failover.PreviousHost, failover.Duration));

        _cluster.Saw(0, HostRole.Primary);
        _cluster.Forget(0);
        _cluster.Saw(1, HostRole.Primary);
        Tell();
        var warning = _log.Of(DbRetryEventId.FailedOver).Single();
        Assert.AreEqual(LogLevel.Warning, warning.Level);
        Assert.StartsWith("b:5432 is the primary in the place of a:5432.", warning.Text);
    }

    [TestMethod]
    public void What_nobody_asks_about_does_not_grow()
    {
        for (var i = 0; i < 10_000; i++)
        {
            _cluster.Failed(2, stalled: false, _time);
            _cluster.Saw(2, HostRole.Standby);
        }

        Tell();
        Assert.HasCount(100, _log.Lines);
    }

    private void Tell() => EventReporter.Of(_log.Factory).Tell(_cluster);

    private void AssertTold(params string[] lines)
    {
        var before = _log.Lines.Count;
        Tell();
        CollectionAssert.AreEqual(lines, _log.Lines.Skip(before).Select(line => line.Text).ToArray());
    }
}
