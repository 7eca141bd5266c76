using System.Collections.Frozen;

namespace DbRetry.EFCore.Retry;

/// <summary>What the application declared about failures.</summary>
/// <param name="ShouldRetry">See <see cref="DbRetryOptions.ShouldRetry"/>.</param>
/// <param name="RetriableSqlStates">See <see cref="DbRetryOptions.RetriableSqlStates"/>.</param>
internal sealed record FailureRules(Func<Exception, bool?>? ShouldRetry, FrozenSet<string> RetriableSqlStates)
{
    /// <summary>Nothing declared: the built-in table alone.</summary>
    internal static FailureRules None { get; } = new(null, FrozenSet<string>.Empty);
}
