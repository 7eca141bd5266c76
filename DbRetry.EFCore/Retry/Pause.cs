namespace DbRetry.EFCore.Retry;

/// <summary>Waits by the injected clock.</summary>
internal static class Pause
{
    /// <summary>Blocks the thread, for synchronous callers only.</summary>
    internal static void Wait(this TimeProvider time, TimeSpan delay)
    {
        if (delay <= TimeSpan.Zero)
        {
            return;
        }

        var over = new ManualResetEventSlim(); // Not disposed: the timer may still be inside Set when Wait returns.
        using var timer = time.CreateTimer(static state => ((ManualResetEventSlim)state!).Set(), over, delay, Timeout.InfiniteTimeSpan);
        over.Wait();
    }

    internal static Task WaitAsync(this TimeProvider time, TimeSpan delay, CancellationToken cancellationToken)
        => delay <= TimeSpan.Zero
            ? cancellationToken.IsCancellationRequested ? Task.FromCanceled(cancellationToken) : Task.CompletedTask
            : Task.Delay(delay, time, cancellationToken);
}
