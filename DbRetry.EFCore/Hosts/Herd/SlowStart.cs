using DbRetry.EFCore.Retry;

namespace DbRetry.EFCore.Hosts.Herd;

/// <summary>
/// Gives few connections to a host that has just become the primary, for a moment. All who lost theirs come at the same time, and a connection costs a server
/// many times what a write does: with a few of them, everybody is served before as many as there are callers were made.
/// </summary>
internal sealed class SlowStart : IDisposable
{
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(1);

    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly LinkedList<Wakeup> _waiters = [];
    private readonly ITimer _timer;
    private long _since;
    private TimeSpan _patience = SlowStartRule.LongestOpen;
    private int _taken;
    private bool _anyOpen;
    private bool _isOver;

    internal SlowStart(TimeProvider time)
    {
        _time = time;
        _since = time.GetTimestamp();
        _timer = DetachedWork.Begin(
            () => time.CreateTimer(static start => ((SlowStart)start!).End(), this, _patience, Timeout.InfiniteTimeSpan));
    }

    /// <summary>Whether everybody may open as he likes.</summary>
    internal bool IsOver => Volatile.Read(ref _isOver);

    /// <summary>How many wait for a connection that comes back.</summary>
    internal int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _waiters.Count;
            }
        }
    }

    /// <summary>Returns when a connection may be opened, or one is in the pool; then <see cref="Opened"/> is to be called.</summary>
    internal void Enter()
    {
        if (Join(blocking: true) is not { } waiter)
        {
            return;
        }

        while (!waiter.Value.Wait(Left() is var left && left < ShortestWait ? ShortestWait : left))
        {
            if (Left() <= TimeSpan.Zero)
            {
                End(); // All the threads that the timer needs may be held by those who wait here.
            }
        }
    }

    /// <inheritdoc cref="Enter"/>
    /// <exception cref="OperationCanceledException">The caller cancelled, and has no place.</exception>
    internal Task EnterAsync(CancellationToken cancellationToken)
    {
        return Join(blocking: false) is { } waiter ? WaitAsync(waiter) : Task.CompletedTask;

        async Task WaitAsync(LinkedListNode<Wakeup> waiter)
        {
            try
            {
                await waiter.Value.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                GiveUp(waiter);
                throw;
            }
        }
    }

    /// <summary>The one who entered has opened his connection, or could not.</summary>
    /// <param name="took">What it took him; <see langword="null"/> if he could not.</param>
    internal void Opened(TimeSpan? took)
    {
        if (took is not { } known)
        {
            End(); // Each has to learn it from the host himself.
            return;
        }

        lock (_lock)
        {
            if (!_anyOpen && !_isOver)
            {
                _anyOpen = true;
                _since = _time.GetTimestamp();
                _patience = SlowStartRule.Patience(known);
                _timer.Change(_patience, Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>A connection to the host is in the pool again.</summary>
    internal void Returned()
    {
        lock (_lock)
        {
            _taken = Math.Max(_taken - 1, 0); // It may have been made by somebody who does not ask here.
        }

        LetIn(most: 1);
    }

    public void Dispose() => End();

    private TimeSpan Left()
    {
        lock (_lock)
        {
            return _patience - _time.GetElapsedTime(_since);
        }
    }

    private LinkedListNode<Wakeup>? Join(bool blocking)
    {
        lock (_lock)
        {
            if (_isOver || SlowStartRule.MayOpen(_taken, _waiters.Count))
            {
                _taken++;
                return null;
            }

            return _waiters.AddLast(new Wakeup(blocking));
        }
    }

    // One that was let in at the same moment has what the next one waits for.
    private void GiveUp(LinkedListNode<Wakeup> waiter)
    {
        lock (_lock)
        {
            if (waiter.List is not null)
            {
                _waiters.Remove(waiter);
                return;
            }
        }

        Returned();
    }

    private void End()
    {
        lock (_lock)
        {
            Volatile.Write(ref _isOver, true);
            _timer.Dispose();
        }

        LetIn(most: int.MaxValue);
    }

    private void LetIn(int most)
    {
        for (; most > 0; most--)
        {
            Wakeup next;
            lock (_lock)
            {
                if (_waiters.First is not { } first)
                {
                    return;
                }

                next = first.Value;
                _waiters.Remove(first);
                _taken++;
            }

            next.Set();
        }
    }
}
