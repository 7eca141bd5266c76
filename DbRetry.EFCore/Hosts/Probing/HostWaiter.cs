using DbRetry.EFCore.Diagnostics;
using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Hosts.Probing;

/// <summary>One open that waits for a host. It waits until <see cref="Wake"/> or its own limit, and leaves its prober when it is disposed.</summary>
internal sealed class HostWaiter : IDisposable
{
    private readonly HostProber? _prober;
    private readonly TimeProvider _time;
    private readonly long _enteredAt;
    private readonly TimeSpan _rest;
    private readonly Wakeup _wakeup;

    /// <param name="prober">Whom it leaves in the end.</param>
    /// <param name="route">How it reaches the hosts.</param>
    /// <param name="target">What it waits for.</param>
    /// <param name="settings">Those of its context; a probe is limited by its <c>HostTimeout</c>.</param>
    /// <param name="rest">How long no news wakes it: it was woken before and could not connect.</param>
    /// <param name="time">The clock.</param>
    /// <param name="blocking">Whether it will <see cref="Wait"/> rather than <see cref="WaitAsync"/>.</param>
    internal HostWaiter(
        HostProber? prober, HostRoute route, TargetSession target, RetrySettings settings, TimeSpan rest, TimeProvider time, bool blocking)
    {
        _prober = prober;
        Route = route;
        Target = target;
        Settings = settings;
        _rest = rest;
        _time = time;
        _enteredAt = time.GetTimestamp();
        Place = new LinkedListNode<HostWaiter>(this);
        _wakeup = new Wakeup(blocking);
    }

    internal HostRoute Route { get; }

    internal TargetSession Target { get; }

    internal RetrySettings Settings { get; }

    /// <summary>Among the waiters, for as long as it was not woken.</summary>
    internal LinkedListNode<HostWaiter> Place { get; }

    internal bool IsRested => _time.GetElapsedTime(_enteredAt) >= _rest;

    public void Dispose()
    {
        _prober?.Leave(this);
        RetryInstruments.Waited(_time.GetElapsedTime(_enteredAt));
    }

    internal void Wake() => _wakeup.Set();

    /// <summary>Blocks the thread, for synchronous callers only.</summary>
    internal void Wait(TimeSpan limit)
    {
        using var timer = Limit(limit);
        _wakeup.Wait();
    }

    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    internal async Task WaitAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        var timer = Limit(limit);
        await using (timer.ConfigureAwait(false))
        {
            await _wakeup.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private ITimer Limit(TimeSpan limit)
        => _time.CreateTimer(static waiter => ((HostWaiter)waiter!).Wake(), this, limit, Timeout.InfiniteTimeSpan);
}
