using System.Collections.Concurrent;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Probing;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts.Probing;

[TestClass]
public sealed class HostProberTests
{
    private static readonly RetrySettings Settings = RetrySettings.From(new DbRetryOptions());
    private static readonly TimeSpan Long = TimeSpan.FromHours(1);

    private readonly ManualTime _time = new();
    private readonly Cluster _cluster = FakeRoute.Hosts(3);
    private readonly ConcurrentQueue<int> _probed = new();
    private readonly FakeRoute _route;
    private int _reached;
    private Func<int, CancellationToken, Task<HostSighting?>> _answer = (_, _) => Task.FromException<HostSighting?>(OpenSearchBed.Refused);

    public HostProberTests()
        => _route = new FakeRoute(_cluster)
        {
            Probe = (host, cancellationToken) =>
            {
                _probed.Enqueue(host);
                return _answer(host, cancellationToken);
            },
        };

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_thousand_who_wait_make_no_more_probes_than_one()
    {
        var waiters = Enumerable.Range(0, 1000).Select(_ => Enter()).ToArray();
        await RoundAsync();
        await RoundAsync();
        Assert.HasCount(6, _probed);
        Array.ForEach(waiters, waiter => waiter.Dispose());
        await EndedAsync();
    }

    [TestMethod]
    public async Task Everyone_is_woken_by_the_first_host_that_fits_though_another_one_never_answers()
    {
        _answer = async (host, cancellationToken) =>
        {
            if (host == 0)
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }

            return new HostSighting(host == 1 ? HostRole.Primary : HostRole.Standby, null);
        };
        using var asynchronous = Enter();
        using var blocking = Enter(blocking: true);
        var blocked = Task.Factory.StartNew(() => blocking.Wait(Long), Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await RoundAsync();
        await asynchronous.WaitAsync(Long, Cancellation);
        await blocked;
        Assert.AreEqual(1, _cluster.Primary);
        await EndedAsync();
    }

    [TestMethod]
    public async Task The_first_of_two_primaries_to_answer_was_taken_before_the_other_one_had_been_asked()
    {
        _answer = (host, _) => Task.FromResult<HostSighting?>(new(HostRole.Primary, new ServerTimeline(1, 1 + host)));
        for (var i = 0; i < 2000; i++)
        {
            var cluster = FakeRoute.Hosts(3);
            var route = new FakeRoute(cluster) { Probe = _route.Probe };
            using var waiter = cluster.Prober.Enter(route, TargetSession.ReadWrite, Settings, TimeSpan.Zero, _time, new Random(i), blocking: false);
            await waiter.WaitAsync(Long, Cancellation);
            Assert.AreEqual(2, cluster.Primary, $"in round {i}");
        }
    }

    [TestMethod]
    public async Task A_host_is_asked_by_one_probe_at_a_time()
    {
        _answer = async (host, cancellationToken) =>
        {
            await Task.Delay(host == 2 ? Timeout.Infinite : 0, cancellationToken);
            return new HostSighting(HostRole.Standby, null);
        };
        using (Enter())
        {
            await RoundAsync(3);
            await RoundAsync(2);
            Assert.HasCount(1, _probed.Where(host => host == 2));
        }

        await EndedAsync();
    }

    [TestMethod]
    public async Task A_host_that_answers_is_asked_again_over_the_same_connection_until_that_is_old()
    {
        _answer = (_, _) => Task.FromResult<HostSighting?>(HostRole.Standby);
        using (Enter())
        {
            for (var round = 0; round < 10; round++)
            {
                await RoundAsync();
            }

            Assert.HasCount(3, _route.Connected);
            _time.Advance(HostWatch.Kept);
            await RoundAsync();
            await RoundAsync();
            await RoundAsync();
            Assert.HasCount(6, _route.Connected, "A proxy may lead elsewhere by now.");
        }

        await EndedAsync();
    }

    [TestMethod]
    public async Task A_host_that_failed_to_answer_is_connected_to_anew()
    {
        var broken = false;
        _answer = (host, _) => Volatile.Read(ref broken) && host == 1
            ? Task.FromException<HostSighting?>(OpenSearchBed.Refused)
            : Task.FromResult<HostSighting?>(HostRole.Standby);
        using (Enter())
        {
            await RoundAsync();
            Volatile.Write(ref broken, true);
            await RoundAsync();
            Volatile.Write(ref broken, false);
            await RoundAsync(8);
            CollectionAssert.AreEquivalent(new[] { 0, 1, 1, 2 }, _route.Connected);
        }

        await EndedAsync();
    }

    [TestMethod]
    public async Task One_address_for_all_servers_is_connected_to_for_each_question()
    {
        var cluster = FakeRoute.Hosts(1);
        var route = new FakeRoute(cluster) { Probe = (_, _) => Task.FromResult<HostSighting?>(HostRole.Standby) };
        using (cluster.Prober.Enter(route, TargetSession.ReadWrite, Settings, TimeSpan.Zero, _time, new Random(1), blocking: false))
        {
            await Poll.UntilAsync(
                () =>
                {
                    _time.Advance(TimeSpan.FromMilliseconds(1));
                    return route.Connected.Count >= 3;
                },
                TimeSpan.FromSeconds(30),
                () => $"{route.Connected.Count} connections",
                Cancellation);
            Assert.IsLessThan(HostWatch.Kept, _time.GetElapsedTime(0));
        }
    }

    [TestMethod]
    public async Task A_connection_of_the_pool_is_there_for_those_who_waited_when_they_are_woken()
    {
        var route = new FakeRoute(_cluster)
        {
            LendsPools = true,
            Probe = async (host, cancellationToken) =>
            {
                if (host == 0)
                {
                    await Task.Delay(Timeout.Infinite, cancellationToken); // So the prober cannot end before the first of them goes on.
                }

                return new HostSighting(host == 1 ? HostRole.Primary : HostRole.Standby, null);
            },
        };
        using var waiter = _cluster.Prober.Enter(route, TargetSession.ReadWrite, Settings, TimeSpan.Zero, _time, new Random(1), blocking: false);

        await waiter.WaitAsync(Long, Cancellation);

        CollectionAssert.AreEqual(new[] { 1 }, route.Disconnected, "One to a standby is kept, to ask again.");
        await EndedAsync();
    }

    [TestMethod]
    public async Task What_was_heard_of_a_host_saves_others_to_ask_it_for_a_moment()
    {
        var before = _time.GetTimestamp();
        _answer = async (host, cancellationToken) =>
        {
            if (host == 2)
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }

            return host == 0 ? throw OpenSearchBed.Refused : HostRole.Standby;
        };
        using (Enter())
        {
            await RoundAsync();
            await RoundAsync(2);
            await Poll.UntilAsync(() => WhyNot(1, before) is not null, TimeSpan.FromSeconds(30), () => "nothing was heard", Cancellation);
            Assert.AreEqual("the host cannot be reached", WhyNot(0, before));
            Assert.AreEqual("a standby (in recovery)", WhyNot(1, before));
            Assert.IsNull(WhyNot(2, before), "It has not answered.");
            Assert.IsNull(WhyNot(1, _time.GetTimestamp() + 1), "It was asked before that.");
        }

        _time.Advance(HostProber.Grace);
        Assert.IsNull(WhyNot(1, before), "That is long ago.");
        await EndedAsync();

        string? WhyNot(int host, long since) => _cluster.Prober.WhyNoPrimary(host, since, _time);
    }

    [TestMethod]
    public async Task A_host_that_is_being_connected_to_when_another_one_fits_is_heard_all_the_same()
    {
        var later = new TaskCompletionSource();
        var before = _time.GetTimestamp();
        _answer = async (host, cancellationToken) =>
        {
            await (host == 1 ? Task.CompletedTask : later.Task.WaitAsync(cancellationToken));
            return new HostSighting(host == 1 ? HostRole.Primary : HostRole.Standby, null);
        };
        using (var waiter = Enter())
        {
            await RoundAsync();
            await waiter.WaitAsync(Long, Cancellation);
        }

        later.SetResult();
        await Poll.UntilAsync(
            () => _cluster.Prober.WhyNoPrimary(0, before, _time) is not null && _cluster.Prober.WhyNoPrimary(2, before, _time) is not null,
            TimeSpan.FromSeconds(30),
            () => "it was not heard",
            Cancellation);
        await EndedAsync();
    }

    [TestMethod]
    public async Task Somebody_who_connects_wakes_those_who_wait()
    {
        using var waiter = Enter();
        var waiting = waiter.WaitAsync(Long, Cancellation);
        _cluster.Saw(0, HostRole.Standby);
        Assert.AreEqual(1, _cluster.Prober.Waiting);
        _cluster.Saw(1, HostRole.Primary);
        await waiting;
        await EndedAsync();
        Assert.IsLessThanOrEqualTo(3, _probed.Count, "The round that was under way was the last one.");
    }

    [TestMethod]
    public async Task A_host_that_turns_the_caller_away_is_something_that_he_has_to_hear()
    {
        _answer = (_, _) => Task.FromException<HostSighting?>(OpenSearchBed.Server(PostgresErrorCodes.InvalidPassword));
        using var waiter = Enter();
        await RoundAsync();
        await waiter.WaitAsync(Long, Cancellation);
        await EndedAsync();
    }

    [TestMethod]
    public async Task A_caller_who_cancels_is_heard_at_once_and_the_last_one_stops_the_probes()
    {
        _answer = async (_, cancellationToken) =>
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return null;
        };
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        using (var waiter = Enter())
        {
            var waiting = waiter.WaitAsync(Long, source.Token);
            await RoundAsync();
            await source.CancelAsync();
            await Assert.ThrowsAsync<OperationCanceledException>(() => waiting);
        }

        await EndedAsync();
        Assert.HasCount(3, _probed);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Without_news_the_wait_ends_with_its_limit(bool blocking)
    {
        using (var waiter = new HostWaiter(_cluster.Prober, _route, TargetSession.Any, Settings, TimeSpan.Zero, new ManualTime { SkipsWaits = true }, blocking))
        {
            await (blocking ? Task.Run(() => waiter.Wait(Long), Cancellation) : waiter.WaitAsync(Long, Cancellation));
        }

        Assert.IsFalse(_cluster.Prober.IsProbing, "It did not enter.");
    }

    private HostWaiter Enter(bool blocking = false)
        => _cluster.Prober.Enter(_route, TargetSession.ReadWrite, Settings, TimeSpan.Zero, _time, new Random(1), blocking);

    // The pause is a timer of the clock that stands still until we say.
    private async Task RoundAsync(int probes = 3)
    {
        _reached += probes;
        await Poll.UntilAsync(
            () =>
            {
                if (_probed.Count < _reached)
                {
                    _time.Advance(TimeSpan.FromMilliseconds(1));
                }

                return _probed.Count >= _reached;
            },
            TimeSpan.FromSeconds(30),
            () => $"{_probed.Count} probes, not {_reached}",
            Cancellation);
    }

    private Task EndedAsync()
        => Poll.UntilAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(1));
                return !_cluster.Prober.IsProbing && _cluster.Prober.Waiting == 0 && _time.Pending == 0;
            },
            TimeSpan.FromSeconds(30),
            () => $"{_cluster.Prober.Waiting} wait, {_time.Pending} timers run",
            Cancellation);
}
