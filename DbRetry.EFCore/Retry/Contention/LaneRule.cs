namespace DbRetry.EFCore.Retry.Contention;

/// <summary>Learns whether attempts whose first statements are alike lose conflicts to each other. Decides only; does not wait.</summary>
/// <remarks>
/// An attempt that began beside its like and lost counts two up, one that did not lose one down: it rises where more than a third lose. While they take turns, some
/// go on all the same, to tell whether waiting is still worth it: the rarer, the more of them have lost, since each may also make another one lose.
/// </remarks>
internal sealed class LaneRule
{
    /// <summary>One of so many that should wait for its like goes on all the same, at first and as long as those do not lose.</summary>
    internal const int Trial = 64;

    /// <summary>Each of them that loses halves their share, down to one of so many.</summary>
    internal const int RarestTrial = 1024;

    private const int Certain = 16;
    private const int ForLoss = 2;

    private Tendency _lose;
    private int _every = Trial;
    private int _waited;

    /// <summary>Whether they take turns.</summary>
    internal bool TakesTurns => _lose.IsCertain;

    /// <summary>Whether the next attempt that meets its like waits for it.</summary>
    internal bool Waits()
    {
        if (!TakesTurns)
        {
            return false;
        }

        _waited = (_waited + 1) % _every;
        return _waited != 0;
    }

    /// <summary>Takes in how an attempt ended that had begun beside its like.</summary>
    internal void Ended(bool conflict)
    {
        _every = TakesTurns && conflict ? Math.Min(2 * _every, RarestTrial) : Trial;
        _lose.Note(conflict, ForLoss, Certain);
    }
}
