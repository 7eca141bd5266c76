using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.Failover.Told;

/// <summary>Tries again until it works, whatever was wrong and whatever is applied twice.</summary>
internal sealed class RepeatingStrategy(ExecutionStrategyDependencies dependencies) : ExecutionStrategy(dependencies, int.MaxValue, Pause)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(1);

    protected override bool ShouldRetryOn(Exception exception) => true;

    protected override TimeSpan? GetNextDelay(Exception lastException) => Pause;
}
