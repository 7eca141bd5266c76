namespace DbRetry.EFCore.Retry.Contention;

/// <summary>How many attempts of one kind of unit may run at once, learnt from how many of them lose a conflict. Decides only; does not wait.</summary>
/// <remarks>
/// <para>
/// Additive increase, multiplicative decrease (Chiu and Jain, 1989; TCP's congestion control), with the share of lost attempts in the place of lost packets,
/// looked at once per <see cref="Window"/> of ended attempts. A lost attempt is work for nothing: on one hot row two at a time lose every second one and
/// finish later than one after the other, on four rows three at a time lose a quarter and finish much sooner.
/// </para>
/// <para>
/// A width that was found too much is not tried again at once: the patience before the next try grows each time, so that a hot row pays ever more rarely
/// for the question whether it is still hot.
/// </para>
/// </remarks>
internal sealed class AdmissionWidth
{
    /// <summary>Nobody has to wait.</summary>
    internal const int Open = int.MaxValue;

    /// <summary>After so many ended attempts the width is reconsidered.</summary>
    internal const int Window = 64;

    /// <summary>From this width on there is nothing to limit.</summary>
    internal const int Widest = 32;

    /// <summary>Pauses double this often at most.</summary>
    internal const int MostOverload = 16;

    private const int CalmWindows = 8;
    private const int FirstPatience = 4;
    private const int MostPatience = 128;

    // Shares of lost attempts, as measured (eng/bench contention): two at a time on one row lose 0.45 and halve the throughput; on four rows, three at a
    // time lose 0.28 and are the optimum, four lose 0.34 and are about as good, six lose 0.41 and are worse.
    private const double FarTooMany = 0.42;
    private const double TooMany = 0.38;
    private const double Few = 0.25;
    private const double HardlyAny = 0.04;

    private int _ended;
    private int _lost;
    private int _most;
    private int _patience = FirstPatience;
    private int _waitFor;
    private int _calmWindows;
    private bool _trying;

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
    /// <param name="conflict">Whether it lost a conflict.</param>
    /// <param name="running">How many ran, it included.</param>
    internal void Ended(bool conflict, int running)
    {
        _lost += conflict ? 1 : 0;
        _most = Math.Max(_most, running);
        if (++_ended == Window)
        {
            Reconsider((double)_lost / Window);
            _ended = 0;
            _lost = 0;
            _most = 0;
        }
    }

    private void Reconsider(double lost)
    {
        _calmWindows = lost <= HardlyAny ? _calmWindows + 1 : 0;
        if (lost > TooMany)
        {
            Narrow(lost > FarTooMany);
        }
        else if (_trying)
        {
            _trying = false;
            _patience = FirstPatience;
        }

        if (lost < Few)
        {
            Widen(lost <= HardlyAny);
        }
    }

    private void Narrow(bool much)
    {
        if (Current == 1)
        {
            Overload = Math.Min(Overload + 1, MostOverload);
            return;
        }

        _patience = _trying ? Math.Min(_patience * 4, MostPatience) : FirstPatience;
        _waitFor = _patience;
        _trying = false;
        var width = Math.Min(Current, _most);
        Current = Math.Max(1, much ? width / 2 : width - 1);
    }

    private void Widen(bool much)
    {
        if (Overload > 0)
        {
            Overload--;
        }
        else if (Current != Open && --_waitFor <= 0)
        {
            var width = much ? Current * 2 : Current + 1;
            Current = width >= Widest ? Open : width;
            _trying = true;
        }
    }
}
