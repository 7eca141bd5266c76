using Npgsql;

namespace DbRetry.EFCore.Retry;

/// <summary>One unit of <see cref="DbRetryPolicy"/>: the same judgement as in a context, without EF's events to tell the phase.</summary>
internal sealed class PolicyRun
{
    private readonly TimeProvider _time = TimeProvider.System;
    private readonly AttemptLog _log = new();
    private readonly RetryUnit _unit;

    internal PolicyRun(int? maxRetryCount, bool idempotent, DbRetryOptions? options)
    {
        var settings = maxRetryCount is { } given ? Settings(options, given) : RetrySettings.From(options ?? new DbRetryOptions());

        _unit = new RetryUnit(settings, _log, _time, Random.Shared);
        _log.BeginUnit(idempotent, requiresPrimary: false);
    }

    internal void Begin()
    {
        _log.BeginAttempt();

        // Nobody tells how far the work has come, so the worst is assumed.
        _log.Enter(AttemptPhase.Committing);
    }

    /// <summary>Whether the work is to run again.</summary>
    /// <exception cref="Microsoft.EntityFrameworkCore.Storage.RetryLimitExceededException">The budget is used up.</exception>
    /// <exception cref="CommitOutcomeUnknownException">The work may have been applied.</exception>
    internal bool RetriesAfter(Exception exception)
    {
        if (AnswersConnecting(exception))
        {
            _log.Enter(AttemptPhase.Opening);
        }

        _unit.Judge(exception);
        return _unit.Next() switch
        {
            AfterFailure.Retry => true,
            AfterFailure.Surface => false,
            _ => throw _unit.Error!,
        };
    }

    internal void Wait() => _time.Wait(_unit.Delay);

    internal Task WaitAsync(CancellationToken cancellationToken) => _time.WaitAsync(_unit.Delay, cancellationToken);

    private static RetrySettings Settings(DbRetryOptions? options, int maxRetryCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maxRetryCount);
        return RetrySettings.From(options ?? new DbRetryOptions { MaxRetryCount = maxRetryCount }) with { MaxRetryCount = maxRetryCount };
    }

    // With these a server ends a session only before the session could do anything.
    private static bool AnswersConnecting(Exception exception)
        => ExceptionChain.Walk(exception).Any(static inner => inner is PostgresException { InvariantSeverity: "FATAL" } error
            && (error.SqlState is PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.TooManyConnections or PostgresErrorCodes.InvalidCatalogName
                || error.SqlState.StartsWith("28", StringComparison.Ordinal)));
}
