namespace DbRetry.EFCore.Retry.Contention;

/// <summary>A counter that saturates, as processors predict branches by (Smith, 1981): it takes several surprises to change its mind.</summary>
internal struct Tendency
{
    private int _count;

    /// <summary>Whether the event is expected: since the counter was full, or from the beginning, until it is empty.</summary>
    internal bool IsCertain { get; private set; }

    /// <summary>One that expects the event until it did not happen so often.</summary>
    internal static Tendency Certain(int count) => new() { _count = count, IsCertain = true };

    /// <summary>Counts up by a weight when the event happened, and down by one when not: it rises where more than one in weight + 1 do.</summary>
    internal void Note(bool happened, int weight, int most)
    {
        _count = Math.Clamp(_count + (happened ? weight : -1), 0, most);
        IsCertain = _count == most || (IsCertain && _count > 0);
    }
}
