using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.EFCore.Retry;

/// <summary>The budget of attempts, time or retries is used up; the inner exception is the last failure.</summary>
internal sealed class RetriesExhaustedException(string message, Exception lastFailure) : RetryLimitExceededException(message, lastFailure);
