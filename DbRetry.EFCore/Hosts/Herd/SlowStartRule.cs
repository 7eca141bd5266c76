namespace DbRetry.EFCore.Hosts.Herd;

/// <summary>How many connections a host that has just become the primary gets at first, and for how long that holds.</summary>
internal static class SlowStartRule
{
    /// <summary>Two, so that one that is slow keeps nobody from the other.</summary>
    internal const int Width = 2;

    /// <summary>How long the first connection is waited for. Where it takes longer, each has to find out for himself.</summary>
    internal static readonly TimeSpan LongestOpen = TimeSpan.FromMilliseconds(100);

    /// <summary>A connection may be there at once, because it was made beforehand. A short unit should be over by then.</summary>
    internal static readonly TimeSpan ShortestPatience = TimeSpan.FromMilliseconds(40);

    internal static readonly TimeSpan LongestPatience = TimeSpan.FromMilliseconds(100);

    /// <summary>Whether one more may be opened, or taken from the pool.</summary>
    /// <param name="taken">How many are open and in use, or being opened.</param>
    /// <param name="waiting">How many came before and wait for one that comes back.</param>
    internal static bool MayOpen(int taken, int waiting) => waiting == 0 && taken < Width;

    /// <summary>
    /// How long those who are kept from opening wait for a connection that comes back, once one is open. What they save is a connection of their own, so that
    /// is the measure: the first unit on a new connection takes about as long as it took to open, since the server process has everything to read in.
    /// </summary>
    /// <param name="took">What it took to open.</param>
    internal static TimeSpan Patience(TimeSpan took)
        => TimeSpan.FromTicks(Math.Clamp(4 * took.Ticks, ShortestPatience.Ticks, LongestPatience.Ticks));
}
