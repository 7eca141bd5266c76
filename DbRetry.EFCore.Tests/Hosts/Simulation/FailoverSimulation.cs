using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Probing;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;

namespace DbRetry.EFCore.Tests.Hosts.Simulation;

/// <summary>
/// A cluster, those who look for a host of it, and the one who probes for them, on one thread and one clock: the same seed gives the same story.
/// </summary>
/// <param name="seed">Of everything that is random.</param>
/// <param name="probed">Whether hosts are probed, or everybody looks for himself again and again.</param>
internal sealed class FailoverSimulation(int seed, bool probed)
{
    private const int Openers = 6;
    private static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(300);
    private static readonly RetrySettings Settings = RetrySettings.From(new DbRetryOptions { MaxRetryCount = 3 });
    private static readonly TargetSession[] Targets = Enum.GetValues<TargetSession>();

    private readonly Random _random = new(seed);
    private readonly ManualTime _time = new();
    private readonly Cluster _cluster = new([.. Enumerable.Range(0, 3).Select(host => new HostEndpoint($"simulated-{host}", 5432)).ToImmutableArray()]);
    private readonly SimulatedServers _servers = new(new Random(seed + 1));
    private readonly ProbeSchedule _schedule = new(3);
    private readonly PriorityQueue<(Action What, Func<bool>? StillDue), (TimeSpan At, long Order)> _events = new();
    private readonly List<SimulatedOpen> _opens = [];
    private readonly Dictionary<HostWaiter, SimulatedOpen> _waiting = [];
    private readonly int[] _probes = new int[3];
    private FakeRoute? _route;
    private TimeSpan _now;
    private TimeSpan _probingSince;
    private long _order;
    private int _round;
    private int _run;
    private bool _probing;

    /// <summary>The longest time for which somebody was not served although a host that fits was there.</summary>
    public TimeSpan LongestDelay { get; private set; }

    public int Tries { get; private set; }

    public int Probes { get; private set; }

    // Two silent hosts may have to be waited for and then a pause; where nobody probes, also that a host which was silent itself is tried again.
    private TimeSpan Bound => Settings.HostTimeout * 2 + Settings.MaxReconnectDelay + Slack + (probed ? TimeSpan.Zero : Cluster.StallPenalty);

    private FakeRoute Route => _route ??= new FakeRoute(_cluster) { Probe = probed ? (_, _) => throw new InvalidOperationException() : null };

    /// <summary>One failover and all who notice it.</summary>
    public void Round()
    {
        _round++;
        Route.Cleared.Clear();
        _opens.Clear();
        var at = _now + TimeSpan.FromSeconds(0.3 + (10 * _random.NextDouble()));
        var healed = _servers.FailOver(at);
        for (var i = 0; i < Openers; i++)
        {
            At(at + TimeSpan.FromSeconds((2.2 * _random.NextDouble()) - 0.2), Open);
        }

        while (_events.TryDequeue(out var next, out var when))
        {
            if (next.StillDue is null || next.StillDue())
            {
                _time.Advance(when.At - _now);
                _now = when.At;
                next.What();
            }
        }

        Expect(_opens.Count == Openers && _opens.TrueForAll(open => open.IsServed), $"somebody was never served");
        Expect(_waiting.Count == 0 && _schedule.Waiting == 0 && _schedule.Leader is null && !_probing, $"somebody still waits, or probes");
        Expect(_time.Pending == 0, $"a timer is left");
        _time.Advance(healed > _now ? healed - _now : TimeSpan.Zero);
        _now = healed > _now ? healed : _now;
    }

    private void Open()
    {
        var target = Targets[_random.Next(Targets.Length)];
        var open = new SimulatedOpen(new OpenSearch(Route, target, Settings, new AttemptLog(), _time, _random), target, _now);
        _opens.Add(open);
        Step(open);
    }

    private void Step(SimulatedOpen open)
    {
        switch (open.Search.Next())
        {
            case OpenStep.Try:
                Tries++;
                open.Tries[open.Search.Host]++;
                var (answered, answer) = _servers[open.Search.Host].Connect(_now, Settings.HostTimeout);
                At(answered, () => Take(open, answer));
                break;
            case OpenStep.Wait:
                Wait(open);
                break;
            default:
                Expect(false, $"a search for {open.Target} failed: {open.Search.Error}");
                break;
        }
    }

    private void Take(SimulatedOpen open, object answer)
    {
        if (answer is Exception exception)
        {
            open.Search.Failed(exception);
            Step(open);
            return;
        }

        var sighting = (HostSighting)answer;
        var accepted = open.Search.Accepts(open.Search.Believes(sighting.Role) ? sighting.Role : sighting);
        Seen(open.Search.Host);
        if (!accepted)
        {
            Step(open);
            return;
        }

        open.IsServed = true;
        Expect(open.Target.Match(sighting.Role) is not TargetSessionMatch.Unfit, $"a host that is {sighting.Role} serves a session of the kind {open.Target}");
        Expect(
            !open.Target.IsForPrimary() || sighting.Timeline?.IsSupersededBy(_cluster.NewestTimeline) is not true,
            $"a primary on timeline {sighting.Timeline} serves a session of the kind {open.Target} although one on {_cluster.NewestTimeline} was seen");
        for (var host = 0; host < 3; host++)
        {
            if (_servers[host].FitsSince(open.Target, _now, _servers.Timeline) is { } since)
            {
                var delay = _now - (since > open.StartedAt ? since : open.StartedAt);
                LongestDelay = delay > LongestDelay ? delay : LongestDelay;
                Expect(delay <= Bound, $"a session of the kind {open.Target} was served {delay} after host {host} could do so");
            }
        }

        // Half of what backs off exponentially is over at once; more than that is no back-off any more.
        var most = 30 + (40 * (_now - open.StartedAt).TotalSeconds);
        Expect(open.Tries.Max() <= most, $"it took {open.Tries.Max()} tries of one host to serve one session");
    }

    private void Wait(SimulatedOpen open)
    {
        var waiter = new HostWaiter(null, Route, open.Target, Settings, open.Search.Rest, _time, blocking: false);
        _schedule.Enter(waiter);
        _waiting.Add(waiter, open);
        At(_now + open.Search.Delay, () => Wake(waiter), () => _waiting.ContainsKey(waiter));
        if (!_probing && _schedule.Leader is not null)
        {
            _probing = true;
            _schedule.Restart();
            _probingSince = _now;
            var run = ++_run;
            Array.Clear(_probes);
            At(_now, () => Probe(run), () => run == _run);
        }
    }

    private void Wake(HostWaiter waiter)
    {
        if (_waiting.Remove(waiter, out var open))
        {
            _schedule.Leave(waiter);
            Settle();
            Step(open);
        }
    }

    private void Settle()
    {
        if (_probing && _schedule.Leader is null)
        {
            _probing = false;
            _run++;
        }
    }

    // As HostProber does it.
    private void Probe(int run)
    {
        var newest = _cluster.NewestTimeline;
        foreach (var host in _schedule.Begin(_random))
        {
            Probes++;
            _probes[host]++;
            Expect(_probes[host] <= 1 + ((_now - _probingSince) / (ProbeSchedule.FirstPause / 2)), $"host {host} is probed too often");
            var (answered, answer) = _servers[host].Connect(_now, Settings.HostTimeout);
            At(answered, () => Answered(host, answer, newest, run));
        }

        At(_now + ProbeSchedule.Pause(_now - _probingSince, _random.NextDouble()), () => Probe(run), () => run == _run);
    }

    private void Answered(int host, object answer, ServerTimeline? newest, int run)
    {
        if (answer is HostSighting sighting && sighting.MayBeReplaced(newest))
        {
            // The others may be heard sooner than this.
            _cluster.Advance(sighting.Timeline!);
            At(_now + HostProber.Grace, () => Tell(host, answer, run));
        }
        else
        {
            Tell(host, answer, run);
        }
    }

    private void Tell(int host, object answer, int run)
    {
        _schedule.Ended(host, answer is Exception);
        if (answer is HostSighting sighting && (run == _run || sighting.Timeline?.IsSupersededBy(_cluster.NewestTimeline) is true))
        {
            _cluster.Saw(host, sighting);
            Seen(host);
        }
    }

    private void Seen(int host)
    {
        if (_cluster[host].Role is not { } role)
        {
            return;
        }

        var woken = _schedule.Seen(role);
        Settle();
        foreach (var waiter in woken)
        {
            At(_now, () => Wake(waiter));
        }
    }

    private void At(TimeSpan when, Action what, Func<bool>? stillDue = null) => _events.Enqueue((what, stillDue), (when, _order++));

    // The text costs more than all the rest, and is not needed millions of times.
    private void Expect(bool holds, [InterpolatedStringHandlerArgument(nameof(holds))] ref Otherwise otherwise)
    {
        if (!holds)
        {
            Assert.Fail($"Seed {seed}, round {_round} ({_servers.Story}), at {_now}: {otherwise.Text}.");
        }
    }

    [InterpolatedStringHandler]
    private ref struct Otherwise
    {
        private DefaultInterpolatedStringHandler _text;

        public Otherwise(int literals, int holes, bool holds, out bool wanted)
        {
            wanted = !holds;
            _text = wanted ? new(literals, holes) : default;
        }

        public string Text => _text.ToStringAndClear();

        public void AppendLiteral(string text) => _text.AppendLiteral(text);

        public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);
    }
}
