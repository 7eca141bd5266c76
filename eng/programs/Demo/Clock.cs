using System.Diagnostics;

namespace DbRetry.Demo;

/// <summary>Time since the load started.</summary>
internal sealed class Clock
{
    private readonly long _start = Stopwatch.GetTimestamp();

    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_start);

    public TimeSpan At(long timestamp) => Stopwatch.GetElapsedTime(_start, timestamp);

    public Task UntilAsync(TimeSpan time, CancellationToken cancellationToken)
    {
        var wait = time - Elapsed;
        return wait > TimeSpan.Zero ? Task.Delay(wait, cancellationToken) : Task.CompletedTask;
    }
}
