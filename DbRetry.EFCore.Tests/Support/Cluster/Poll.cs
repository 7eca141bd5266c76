using System.Diagnostics;

namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>Waits for something that another process does and cannot announce.</summary>
internal static class Poll
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(5);

    public static Task UntilAsync(
        Func<bool> condition, TimeSpan limit, Func<string> failure, CancellationToken cancellationToken = default)
        => UntilAsync(() => Task.FromResult(condition()), limit, failure, cancellationToken);

    public static async Task UntilAsync(
        Func<Task<bool>> condition, TimeSpan limit, Func<string> failure, CancellationToken cancellationToken = default)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > limit)
            {
                throw new TimeoutException($"After {limit.TotalSeconds:0.#} s: {failure()}");
            }
            await Task.Delay(Interval, cancellationToken);
        }
    }
}
