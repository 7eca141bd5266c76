namespace DbRetry.EFCore;

/// <summary>An attempt failed, and its unit is going to run again: see <see cref="DbRetryOptions.OnRetry"/>.</summary>
/// <param name="Attempt">The number of the attempt that failed; the first is 1.</param>
/// <param name="Delay">How long is waited before the next one, apart from waiting for a host or in a queue.</param>
/// <param name="Host">The host that it ran on, without credentials; <see langword="null"/> if it reached none, or if hosts are not known.</param>
/// <param name="Failure">What went wrong.</param>
/// <param name="SqlState">The SQLSTATE that decided; <see langword="null"/> if none did.</param>
/// <param name="Exception">The failure itself. Its text may hold data of the application.</param>
public sealed record RetryEvent(int Attempt, TimeSpan Delay, string? Host, FailureKind Failure, string? SqlState, Exception Exception);
