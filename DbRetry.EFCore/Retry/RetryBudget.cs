namespace DbRetry.EFCore.Retry;

/// <summary>
/// A token bucket that keeps a process from multiplying its load on a cluster that is down: a burst of <paramref name="capacity"/> retries, and a
/// tenth of that per second.
/// </summary>
/// <param name="capacity">How many retries a burst may have; 0 turns the budget off.</param>
/// <param name="clock">The time that refills it. There is no timer: what flowed in since is reckoned when somebody asks.</param>
internal sealed class RetryBudget(int capacity, TimeProvider clock)
{
    private const double RefillPerSecond = 0.1;

    private readonly Lock _lock = new();
    private double _tokens = capacity;
    private long _asOf = clock.GetTimestamp();

    /// <summary>Takes one retry out of the budget; <see langword="false"/> if it is used up.</summary>
    internal bool TryTake()
    {
        if (capacity == 0)
        {
            return true;
        }

        lock (_lock)
        {
            var now = clock.GetTimestamp();
            _tokens = Math.Min(capacity, _tokens + (clock.GetElapsedTime(_asOf, now).TotalSeconds * RefillPerSecond * capacity));
            _asOf = now;
            if (_tokens < 1)
            {
                return false;
            }

            _tokens--;
            return true;
        }
    }
}
