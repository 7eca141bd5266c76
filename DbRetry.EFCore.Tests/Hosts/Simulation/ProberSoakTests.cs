using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Cluster;

namespace DbRetry.EFCore.Tests.Hosts.Simulation;

/// <summary>The prober itself, with tasks and threads, over thousands of outages that no server is needed for. Alone: it watches the process.</summary>
[TestClass]
[DoNotParallelize]
public sealed class ProberSoakTests
{
    private const int Outages = 4_000;

    private static readonly RetrySettings Settings = RetrySettings.From(new DbRetryOptions
    {
        MaxRetryCount = 3,
        HostTimeout = TimeSpan.FromMilliseconds(200),
        MaxReconnectDelay = TimeSpan.FromMilliseconds(50),
    });

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ManualTime _time = new();
    private readonly Cluster _cluster = FakeRoute.Hosts(3);
    private readonly FakeRoute _route;
    private readonly ServerState[] _states = [ServerState.Primary, ServerState.Standby, ServerState.Standby];
    private int _probes;

    public ProberSoakTests()
        => _route = new FakeRoute(_cluster)
        {
            Probe = async (host, cancellationToken) =>
            {
                Interlocked.Increment(ref _probes);
                return await ConnectAsync(host, cancellationToken);
            },
        };

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task Thousands_of_outages_leave_no_waiter_no_probe_no_timer_no_unobserved_failure_and_no_memory()
    {
        const int Seed = 4;
        var random = new Random(Seed);
        var unobserved = 0;
        Collect();
        TaskScheduler.UnobservedTaskException += Note;
        try
        {
            await RepeatAsync(Outages / 10, random);
            var before = Collect();
            await RepeatAsync(Outages, random);
            var grown = Collect() - before;

            TestContext.WriteLine($"{_probes} probes, memory {grown:+#,0;-#,0;0} bytes");
            Assert.IsGreaterThan(Outages, _probes);
            Assert.IsLessThan(Outages * 500, grown, $"It grows with every outage (seed {Seed}).");
            Assert.AreEqual(0, unobserved, $"Somebody's failure was not looked at (seed {Seed}).");
        }
        finally
        {
            TaskScheduler.UnobservedTaskException -= Note;
        }

        void Note(object? sender, UnobservedTaskExceptionEventArgs args)
        {
            if (args.Exception.Flatten().InnerExceptions.Contains(OpenSearchBed.Refused))
            {
                Interlocked.Increment(ref unobserved);
            }
        }
    }

    private static long Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }

    private async Task RepeatAsync(int outages, Random random)
    {
        for (var i = 0; i < outages; i++)
        {
            await OutageAsync(random);
            _route.Cleared.Clear();
            _time.ForgetWaits();
        }
    }

    // The old primary refuses or falls silent, another one is promoted while some wait, are told, give up, or have only just come.
    private async Task OutageAsync(Random random)
    {
        var old = Array.IndexOf(_states, ServerState.Primary);
        _states[old] = random.Next(2) == 0 ? ServerState.Down : ServerState.Silent;
        using var impatient = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        Task[] opens = [.. Enumerable.Range(0, 12).Select(i => i < 3 ? GiveUpAsync(impatient.Token) : OpenAsync(i % 2 == 0, blocking: i == 11, Cancellation))];
        await AdvanceAsync(random.Next(1, 40), opens);
        await impatient.CancelAsync();
        _states[(old + random.Next(1, 3)) % 3] = ServerState.Primary;
        await AdvanceAsync(random.Next(1, 10), opens);
        _states[old] = ServerState.Standby;
        await Poll.UntilAsync(
            async () =>
            {
                await AdvanceAsync(100, opens);
                _time.Advance(Tick);
                return Array.TrueForAll(opens, open => open.IsCompleted) && _cluster.Prober is { Waiting: 0, IsProbing: false } && _time.Pending == 0;
            },
            Patience,
            () => $"{opens.Count(open => !open.IsCompleted)} are not served, {_cluster.Prober.Waiting} wait, {_time.Pending} timers run",
            Cancellation);
        await Task.WhenAll(opens);
    }

    private async Task AdvanceAsync(int ticks, Task[] opens)
    {
        for (var i = 0; i < ticks && !Array.TrueForAll(opens, open => open.IsCompleted); i++)
        {
            _time.Advance(Tick);
            await Task.Yield();
        }
    }

    private async Task GiveUpAsync(CancellationToken cancellationToken)
    {
        try
        {
            await OpenAsync(writes: true, blocking: false, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // As it should, unless it was served before.
        }
    }

    private async Task OpenAsync(bool writes, bool blocking, CancellationToken cancellationToken)
    {
        await Task.Yield();
        var target = writes ? TargetSession.ReadWrite : TargetSession.Standby;
        var search = new OpenSearch(_route, target, Settings, new AttemptLog(), _time, Random.Shared);
        while (true)
        {
            switch (search.Next())
            {
                case OpenStep.Try:
                    try
                    {
                        var sighting = await ConnectAsync(search.Host, cancellationToken);
                        if (search.Accepts(sighting))
                        {
                            Assert.AreEqual(writes, sighting?.Role is HostRole.Primary);
                            return;
                        }
                    }
                    catch (Exception exception) when (exception is not AssertFailedException)
                    {
                        search.Failed(exception);
                    }

                    break;
                case OpenStep.Wait:
                    using (var waiter = _cluster.Prober.Enter(_route, target, Settings, search.Rest, _time, Random.Shared, blocking))
                    {
                        await (blocking
                            ? Task.Factory.StartNew(
                                () => waiter.Wait(search.Delay), Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default)
                            : waiter.WaitAsync(search.Delay, cancellationToken));
                    }

                    break;
                default:
                    throw search.Error!;
            }
        }
    }

    private async Task<HostSighting?> ConnectAsync(int host, CancellationToken cancellationToken)
    {
        await Task.Yield();
        switch (_states[host])
        {
            case ServerState.Primary:
                return (HostSighting)HostRole.Primary;
            case ServerState.Standby:
                return (HostSighting)HostRole.Standby;
            case ServerState.Silent:
                await Task.Delay(Settings.HostTimeout, _time, cancellationToken);
                throw new TimeoutException();
            default:
                throw OpenSearchBed.Refused;
        }
    }
}
