using DbRetry.EFCore.Diagnostics;

namespace DbRetry.EFCore.Retry.Contention;

/// <summary>Lets the attempts of one kind of unit in, first come, first served, as many at once as <see cref="AdmissionWidth"/> finds useful.</summary>
/// <remarks>
/// A unit that lost a conflict goes before those that have not begun, and one that lost too often is let in alone, so that nobody loses for ever. Whoever
/// has waited for <see cref="LongestWait"/> goes in all the same: a unit that hangs must not hold up the others.
/// </remarks>
internal sealed class AdmissionGate(TimeProvider time)
{
    /// <summary>Far longer than a queue of units takes that are short enough to fight over a row.</summary>
    internal static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly AdmissionWidth _width = new();
    private readonly LinkedList<AdmissionWaiter> _alone = [];
    private readonly LinkedList<AdmissionWaiter> _losers = [];
    private readonly LinkedList<AdmissionWaiter> _newcomers = [];
    private int _running;
    private bool _isAlone;

    /// <summary>Whether nothing has to be counted here any more.</summary>
    internal bool IsCalm
    {
        get
        {
            lock (_lock)
            {
                return _width.IsCalm && _running == 0;
            }
        }
    }

    /// <summary>How many may run at once now.</summary>
    internal int Width
    {
        get
        {
            lock (_lock)
            {
                return _width.Current;
            }
        }
    }

    /// <summary>See <see cref="AdmissionWidth.Overload"/>.</summary>
    internal int Overload
    {
        get
        {
            lock (_lock)
            {
                return _width.Overload;
            }
        }
    }

    /// <summary>Waits for admission. Whoever returns must <see cref="Leave"/>.</summary>
    /// <param name="rank">Before whom the attempt goes.</param>
    /// <returns>Whether it was let in alone, as <see cref="Leave"/> must be told.</returns>
    internal bool Enter(AdmissionRank rank)
    {
        if (Admit(rank, blocking: true) is not { } waiter)
        {
            return rank is AdmissionRank.Alone;
        }

        using var overdue = Limit(waiter);
        return Waited(waiter, waiter.Wait());
    }

    /// <inheritdoc cref="Enter"/>
    /// <exception cref="OperationCanceledException">The caller cancelled; there is nothing to leave.</exception>
    internal async ValueTask<bool> EnterAsync(AdmissionRank rank, CancellationToken cancellationToken)
    {
        if (Admit(rank, blocking: false) is not { } waiter)
        {
            return rank is AdmissionRank.Alone;
        }

        var overdue = Limit(waiter);
        await using (overdue.ConfigureAwait(false))
        {
            var cancellation = cancellationToken.UnsafeRegister(
                static (state, token) => ((AdmissionWaiter)state!).Gate.Cancel((AdmissionWaiter)state, token), waiter);
            await using (cancellation.ConfigureAwait(false))
            {
                return Waited(waiter, await waiter.WaitAsync().ConfigureAwait(false));
            }
        }
    }

    /// <summary>An attempt lost a conflict that had begun before there was this gate.</summary>
    internal void Missed()
    {
        lock (_lock)
        {
            _width.Ended(conflict: true, _running + 1);
        }
    }

    /// <summary>Ends an attempt that was let in.</summary>
    internal void Leave(bool wasAlone, bool conflict)
    {
        lock (_lock)
        {
            _width.Ended(conflict, _running);
            _running--;
            _isAlone &= !wasAlone;
            while (Next() is { } waiter)
            {
                LetIn(waiter, waiter.Rank is AdmissionRank.Alone);
            }
        }
    }

    private bool Waited(AdmissionWaiter waiter, bool alone)
    {
        RetryInstruments.Queued(time.GetElapsedTime(waiter.Since));
        return alone;
    }

    private AdmissionWaiter? Admit(AdmissionRank rank, bool blocking)
    {
        lock (_lock)
        {
            if (rank is AdmissionRank.Alone ? _running == 0 : _alone.Count == 0 && HasRoom() && (rank is AdmissionRank.Loser || _losers.Count == 0))
            {
                _running++;
                _isAlone = rank is AdmissionRank.Alone;
                return null;
            }

            var waiter = new AdmissionWaiter(this, rank, time.GetTimestamp(), blocking);
            Queue(rank).AddLast(waiter.Place);
            RetryInstruments.QueueGrew(1);
            return waiter;
        }
    }

    private ITimer Limit(AdmissionWaiter waiter)
        => time.CreateTimer(
            static state => ((AdmissionWaiter)state!).Gate.Overtake((AdmissionWaiter)state), waiter, LongestWait, Timeout.InfiniteTimeSpan);

    private void Overtake(AdmissionWaiter waiter)
    {
        lock (_lock)
        {
            if (waiter.Place.List is not null)
            {
                LetIn(waiter, alone: false);
            }
        }
    }

    private void Cancel(AdmissionWaiter waiter, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (waiter.Place.List is { } queue)
            {
                queue.Remove(waiter.Place);
                RetryInstruments.QueueGrew(-1);
                waiter.Cancel(cancellationToken);
            }
        }
    }

    // Whoever is to be alone lets nobody pass: the others run out, then it begins.
    private AdmissionWaiter? Next()
        => _alone.First is { } alone ? (_running == 0 ? alone.Value : null)
            : !HasRoom() ? null
            : (_losers.First ?? _newcomers.First)?.Value;

    private bool HasRoom() => !_isAlone && _running < _width.Current;

    private void LetIn(AdmissionWaiter waiter, bool alone)
    {
        waiter.Place.List!.Remove(waiter.Place);
        RetryInstruments.QueueGrew(-1);
        _running++;
        _isAlone |= alone;
        waiter.LetIn(alone);
    }

    private LinkedList<AdmissionWaiter> Queue(AdmissionRank rank)
        => rank switch
        {
            AdmissionRank.Alone => _alone,
            AdmissionRank.Loser => _losers,
            _ => _newcomers,
        };
}
