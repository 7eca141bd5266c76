namespace DbRetry.EFCore.Retry.Contention;

/// <summary>Learns whether attempts whose first statements are alike lose conflicts to each other. Decides only; does not wait.</summary>
/// <remarks>An attempt that began beside its like and lost counts two up, one that did not lose one down: it rises where more than a third lose.</remarks>
internal sealed class LaneRule
{
    /// <summary>One of so many that should wait for its like goes on all the same, to tell whether waiting is still worth it.</summary>
    internal const int Trial = 64;

    private const int Certain = 16;
    private const int ForLoss = 2;

    private Tendency _lose;
    private int _met;

    /// <summary>Whether they take turns.</summary>
    internal bool TakesTurns => _lose.IsCertain;

    /// <summary>Whether the next attempt that meets its like waits for it.</summary>
    internal bool Waits() => TakesTurns && ++_met % Trial != 0;

    /// <summary>Takes in how an attempt ended that had begun beside its like.</summary>
    internal void Ended(bool conflict) => _lose.Note(conflict, ForLoss, Certain);
}
