using DbRetry.EFCore.Diagnostics;

namespace DbRetry.EFCore.Retry.Contention;

/// <summary>
/// Lets the attempts of one kind of unit in, first come, first served, as many at once as <see cref="AdmissionWidth"/> finds useful, and one after the other
/// those that are alike, if <see cref="LaneRule"/> finds that useful.
/// </summary>
/// <remarks>
/// A unit that lost a conflict goes before those that have not begun, and one that lost too often is let in alone, so that nobody loses for ever. Whoever
/// has waited for <see cref="LongestWait"/> goes in all the same: a unit that hangs must not hold up the others.
/// </remarks>
internal sealed class AdmissionGate(TimeProvider time)
{
    /// <summary>Far longer than a queue of units takes that are short enough to fight over a row.</summary>
    internal static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly long _since = time.GetTimestamp();
    private readonly AdmissionWidth _width = new();
    private readonly AdmissionLanes _lanes = new();
    private readonly AdmissionQueue _queue = new();
    private int _running;
    private bool _isAlone;

    /// <summary>How long there has been this gate: attempts that began before are not counted in it.</summary>
    internal TimeSpan Age => time.GetElapsedTime(_since);

    /// <summary>Whether nothing has to be counted here any more. Whoever is still on the way to the gate goes through it all the same.</summary>
    internal bool IsCalm
    {
        get
        {
            lock (_lock)
            {
                return _width.IsCalm;
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

    /// <summary>Whether the gate sees to it that an attempt does not meet those again that it lost to.</summary>
    internal bool IsQueueing
    {
        get
        {
            lock (_lock)
            {
                return _width.Current < AdmissionWidth.Open || _lanes.TakeTurns;
            }
        }
    }

    /// <summary>Waits for admission. Whoever returns must <see cref="Leave"/>.</summary>
    /// <param name="rank">Before whom the attempt goes.</param>
    internal AdmissionPass Enter(AdmissionRank rank) => Admit(rank, blocking: true) is { } waiter ? Wait(waiter) : new AdmissionPass(rank is AdmissionRank.Alone);

    /// <inheritdoc cref="Enter"/>
    /// <exception cref="OperationCanceledException">The caller cancelled; there is nothing to leave.</exception>
    internal ValueTask<AdmissionPass> EnterAsync(AdmissionRank rank, CancellationToken cancellationToken)
        => Admit(rank, blocking: false) is { } waiter ? WaitAsync(waiter, cancellationToken) : new(new AdmissionPass(rank is AdmissionRank.Alone));

    /// <summary>An attempt that was let in is about to send its first statement. Waits for those that are alike, if that is worth it.</summary>
    /// <returns>What it holds from now on.</returns>
    internal AdmissionPass EnterLane(AdmissionPass pass, AdmissionRank rank, int lane)
        => Admit(ref pass, rank, lane, blocking: true) is { } waiter ? Wait(waiter) : pass;

    /// <inheritdoc cref="EnterLane"/>
    /// <exception cref="OperationCanceledException">The caller cancelled; it holds what it held.</exception>
    internal ValueTask<AdmissionPass> EnterLaneAsync(AdmissionPass pass, AdmissionRank rank, int lane, CancellationToken cancellationToken)
        => Admit(ref pass, rank, lane, blocking: false) is { } waiter ? WaitAsync(waiter, cancellationToken) : new(pass);

    /// <summary>An attempt lost a conflict that had begun before there was this gate.</summary>
    internal void Missed(bool stalled = false)
    {
        lock (_lock)
        {
            _width.Ended(stalled ? AttemptEnd.Stalled : AttemptEnd.Lost, _running + 1);
        }
    }

    /// <summary>Ends an attempt that was let in.</summary>
    internal void Leave(AdmissionPass pass, bool conflict, bool stalled = false)
    {
        lock (_lock)
        {
            var spared = pass.HasWaited || pass.Lock is LaneLockResult.Waited;
            _width.Ended(stalled ? AttemptEnd.Stalled : conflict ? AttemptEnd.Lost : spared ? AttemptEnd.Spared : AttemptEnd.Untroubled, _running);
            _lanes.Leave(pass, conflict);
            _running--;
            _isAlone &= !pass.IsAlone;
            LetIn();
        }
    }

    private AdmissionPass Wait(AdmissionWaiter waiter)
    {
        using var overdue = Limit(waiter);
        return Waited(waiter, waiter.Wait());
    }

    private async ValueTask<AdmissionPass> WaitAsync(AdmissionWaiter waiter, CancellationToken cancellationToken)
    {
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

    private AdmissionPass Waited(AdmissionWaiter waiter, AdmissionPass pass)
    {
        RetryInstruments.Queued(time.GetElapsedTime(waiter.Since));
        return pass;
    }

    private AdmissionWaiter? Admit(AdmissionRank rank, bool blocking)
    {
        lock (_lock)
        {
            if (rank is AdmissionRank.Alone ? _running == 0 : HasRoom() && !_queue.IsBefore(rank))
            {
                _running++;
                _isAlone = rank is AdmissionRank.Alone;
                return null;
            }

            return Add(rank, null, blocking);
        }
    }

    private AdmissionWaiter? Admit(ref AdmissionPass pass, AdmissionRank rank, int lane, bool blocking)
    {
        lock (_lock)
        {
            if (pass.IsAlone || !_lanes.IsClosed(lane, rank))
            {
                pass = _lanes.Enter(pass, lane, rank);
                return null;
            }

            // It takes nobody's room while it waits.
            var waiter = Add(rank, lane, blocking);
            _running--;
            LetIn();
            return waiter;
        }
    }

    private AdmissionWaiter Add(AdmissionRank rank, int? lane, bool blocking)
    {
        var waiter = new AdmissionWaiter(this, rank, lane, time.GetTimestamp(), blocking);
        _queue.Add(waiter);
        RetryInstruments.QueueGrew(1);
        return waiter;
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

                // An attempt goes on until it leaves.
                _running += waiter.Lane is null ? 0 : 1;
                waiter.Cancel(cancellationToken);
            }
        }
    }

    private bool HasRoom() => !_isAlone && _running < _width.Current;

    private void LetIn()
    {
        while (_queue.Next(_running == 0, HasRoom(), _lanes) is { } waiter)
        {
            LetIn(waiter, alone: waiter is { Rank: AdmissionRank.Alone, Lane: null });
        }
    }

    private void LetIn(AdmissionWaiter waiter, bool alone)
    {
        waiter.Place.List!.Remove(waiter.Place);
        RetryInstruments.QueueGrew(-1);
        _running++;
        _isAlone |= alone;
        var pass = new AdmissionPass(alone);
        waiter.LetIn(waiter.Lane is { } lane ? _lanes.Enter(pass with { HasWaited = true }, lane, waiter.Rank) : pass);
    }
}
