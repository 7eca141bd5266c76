namespace DbRetry.EFCore.Retry.Contention;

/// <summary>How an attempt ended, as far as conflicts go.</summary>
internal enum AttemptEnd
{
    Untroubled,

    /// <summary>It had waited for another one, and would have lost to it.</summary>
    Spared,

    /// <summary>It lost a conflict.</summary>
    Lost,

    /// <summary>It lost one that the server found by letting it wait for locks, while others waited for those that it held: a deadlock, a lock timeout.</summary>
    Stalled,
}

/// <summary>How many attempts of one kind of unit may run at once, learnt from how many of them lose a conflict. Decides only; does not wait.</summary>
/// <remarks>
/// <para>
/// Additive increase, multiplicative decrease (Chiu and Jain, 1989; TCP's congestion control), with the share of lost attempts in the place of lost packets,
/// looked at once per <see cref="Window"/> of ended attempts, or as soon as too many have lost. A lost attempt is work for nothing: on one hot row two at a time lose every second one and
/// finish later than one after the other, on four rows three at a time lose a quarter and finish much sooner.
/// </para>
/// <para>
/// A wider width is a trial: if too many lose, the old one is back after a few attempts, and the patience before the next trial grows, so that a hot row
/// pays ever more rarely for the question whether it is still hot. It does not grow for ever: rows that are hot no more must not wait long either.
/// </para>
/// </remarks>
internal sealed class AdmissionWidth
{
    /// <summary>Nobody has to wait.</summary>
    internal const int Open = int.MaxValue;

    /// <summary>After so many ended attempts the width is reconsidered.</summary>
    internal const int Window = 64;

    /// <summary>The same for a width that is tried out: one that is too much shows soon.</summary>
    internal const int TrialWindow = 16;

    /// <summary>From this width on there is nothing to limit.</summary>
    internal const int Widest = 32;

    /// <summary>Pauses double this often at most.</summary>
    internal const int MostOverload = 16;

    // Of attempts that merely lost. Few such losses are worth not to run side by side: eng/bench contention, deadlocks.
    private const int Stall = 8;

    private const int CalmWindows = 8;
    private const int FirstPatience = 4;
    private const int MostPatience = 16;

    // Shares of lost attempts, as measured (eng/bench contention): two at a time on one row lose 0.45 and halve the throughput; on four rows, three at a
    // time lose 0.28 and are the optimum, four lose 0.34 and are about as good, six lose 0.41 and are worse.
    private const double FarTooMany = 0.42;
    private const double TooMany = 0.38;
    private const double Few = 0.25;
    private const double HardlyAny = 0.04;

    private int _ended;
    private int _lost;
    private int _spared;
    private int _most;
    private int _patience = FirstPatience;
    private int _waitFor;
    private int _calmWindows;

    // The width before the one that is tried out.
    private int? _before;

    /// <summary>How many may run at once.</summary>
    internal int Current { get; private set; } = Open;

    /// <summary>
    /// How often, at a width of one, attempts still lost too many conflicts: to other processes, or to units of other kinds. Each level doubles the pause
    /// after a conflict.
    /// </summary>
    internal int Overload { get; private set; }

    /// <summary>Whether so few conflicts were lost lately that nothing has to be counted any more.</summary>
    internal bool IsCalm => Current == Open && _calmWindows >= CalmWindows;

    /// <summary>Takes in how one attempt ended.</summary>
    /// <param name="end">Whether it lost a conflict, or would have.</param>
    /// <param name="running">How many ran, it included.</param>
    internal void Ended(AttemptEnd end, int running)
    {
        _ended++;
        _lost += end switch
        {
            AttemptEnd.Lost => 1,
            AttemptEnd.Stalled => Stall,
            _ => 0,
        };
        _spared += end is AttemptEnd.Spared ? 1 : 0;
        _most = Math.Max(_most, running);

        // What is too much by now stays too much, and each attempt that finds that out is work for nothing.
        var window = _before is null ? Window : TrialWindow;
        if (_ended == window || _lost > TooMany * window)
        {
            Reconsider((double)_lost / _ended, (double)(_lost + _spared) / _ended);
            _ended = 0;
            _lost = 0;
            _spared = 0;
            _most = 0;
        }
    }

    private void Reconsider(double lost, double contended)
    {
        _calmWindows = contended <= HardlyAny ? _calmWindows + 1 : 0;
        if (lost > TooMany)
        {
            Narrow(lost > FarTooMany);
        }
        else if (_before is not null)
        {
            _before = null;
            _patience = FirstPatience;
        }

        if (lost < Few)
        {
            Widen(lost <= HardlyAny);
        }
    }

    private void Narrow(bool much)
    {
        if (_before is { } width)
        {
            Current = width;
            _before = null;
            _patience = Math.Min(_patience * 4, MostPatience);
        }
        else if (Current == 1)
        {
            Overload = Math.Min(Overload + 1, MostOverload);
            return;
        }
        else
        {
            var ran = Math.Min(Current, _most);
            Current = Math.Max(1, much ? ran / 2 : ran - 1);
            _patience = FirstPatience;
        }

        _waitFor = _patience;
    }

    private void Widen(bool much)
    {
        if (Overload > 0)
        {
            Overload--;
        }
        else if (Current != Open && --_waitFor <= 0)
        {
            _before = Current;
            var width = much ? Current * 2 : Current + 1;
            Current = width >= Widest ? Open : width;
        }
    }
}
