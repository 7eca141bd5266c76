using System.Diagnostics;

namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>A delay that is never shorter than it says: a timer counts in milliseconds, and may be early by a part of one.</summary>
internal static class WholeDelay
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);

    public static async Task PassAsync(long since, TimeSpan delay, CancellationToken cancellationToken)
    {
        while (delay - Stopwatch.GetElapsedTime(since) is var rest && rest > TimeSpan.Zero)
        {
            await Task.Delay(rest < Tick ? Tick : rest, cancellationToken);
        }
    }
}
