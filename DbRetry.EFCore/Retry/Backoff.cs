namespace DbRetry.EFCore.Retry;

/// <summary>Exponential waits with full jitter: any time up to a bound that doubles.</summary>
internal static class Backoff
{
    /// <param name="retry">Which retry this is, from 1.</param>
    /// <param name="first">The bound of the first wait.</param>
    /// <param name="cap">The bound of every wait.</param>
    /// <param name="random01">A random number, at least 0 and below 1.</param>
    internal static TimeSpan Next(int retry, TimeSpan first, TimeSpan cap, double random01)
        => UpperBound(retry, first, cap) * random01;

    /// <remarks>
    /// Compares before it shifts: a doubling that is computed first overflows at the 40th retry or so, into waits that are negative, zero or for ever
    /// (<see href="https://github.com/App-vNext/Polly/issues/2163"/>).
    /// </remarks>
    internal static TimeSpan UpperBound(int retry, TimeSpan first, TimeSpan cap)
    {
        var doublings = Math.Max(retry, 1) - 1;
        return doublings >= 63 || first.Ticks > cap.Ticks >> doublings
            ? cap
            : TimeSpan.FromTicks(first.Ticks << doublings);
    }
}
