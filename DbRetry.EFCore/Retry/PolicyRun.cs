using DbRetry.EFCore.Diagnostics;
using DbRetry.EFCore.Retry.Reporting;
using Npgsql;

namespace DbRetry.EFCore.Retry;

/// <summary>One unit of <see cref="DbRetryPolicy"/>: the same judgement as in a context, without EF's events to tell the phase.</summary>
internal sealed class PolicyRun
{
    private readonly TimeProvider _time = TimeProvider.System;
    private readonly AttemptLog _log = new();
    private readonly RetrySettings _settings;
    private readonly EventReporter _reporter;
    private readonly RetryUnit _unit;

    internal PolicyRun(int? maxRetryCount, bool idempotent, DbRetryOptions? options)
    {
        _settings = maxRetryCount is { } given ? Settings(options, given) : RetrySettings.From(options ?? new DbRetryOptions());
        _reporter = EventReporter.Of(_settings.LoggerFactory);
        _unit = new RetryUnit(_settings, _log, _time, Random.Shared);
        _log.BeginUnit(idempotent, requiresPrimary: false);
    }

    internal void Begin()
    {
        RetryInstruments.Attempted();
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
        var next = _unit.Next();
        if (next is AfterFailure.Retry)
        {
            return true;
        }

        _reporter.GaveUp(_unit);
        return next is AfterFailure.Surface ? false : throw _unit.Error!;
    }

    internal void Wait()
    {
        _reporter.Retrying(_settings, _unit, _unit.Delay);
        _time.Wait(_unit.Delay);
    }

    internal async Task WaitAsync(CancellationToken cancellationToken)
    {
        await _reporter.RetryingAsync(_settings, _unit, _unit.Delay, cancellationToken).ConfigureAwait(true);
        await _time.WaitAsync(_unit.Delay, cancellationToken).ConfigureAwait(true);
    }

    internal void Succeeded()
    {
        if (_unit.Failures > 0)
        {
            _reporter.Recovered(_unit);
        }
    }

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
