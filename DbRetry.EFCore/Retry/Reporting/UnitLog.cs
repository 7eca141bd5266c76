using DbRetry.EFCore.Diagnostics;

namespace DbRetry.EFCore.Retry.Reporting;

/// <summary>Logs how units end that did not succeed at once.</summary>
internal static class UnitLog
{
    internal static void Recovered(this EventReporter reporter, RetryUnit unit)
    {
        var (failure, elapsed) = (unit.Failure, unit.Elapsed.TotalMilliseconds);
        if (unit.LostConflictsOnly)
        {
            reporter.Retry.ConflictsOvercome(unit.Failures + 1, elapsed, failure.SqlState ?? "none");
        }
        else
        {
            reporter.Retry.UnitRecovered(
                unit.ConnectedTo ?? "the database", unit.Failures + 1, elapsed, failure.Reason, failure.KindName, failure.SqlState ?? "none");
        }
    }

    internal static void GaveUp(this EventReporter reporter, RetryUnit unit)
    {
        var (failure, host, sqlState) = (unit.Failure, unit.Host ?? "no host", unit.Failure.SqlState ?? "none");
        if (unit.WhyExhausted is { } why)
        {
            var elapsed = unit.Elapsed.TotalMilliseconds;
            if (unit.IsBudgetExhausted)
            {
                reporter.Retry.RetryBudgetExhausted(unit.Failures, elapsed, why, host, failure.Reason, failure.KindName, sqlState);
            }
            else
            {
                reporter.Retry.RetriesExhausted(unit.Failures, elapsed, why, host, failure.Reason, failure.KindName, sqlState);
            }
        }
        else if (unit.Error is CommitOutcomeUnknownException)
        {
            reporter.OutcomeUnknown(unit.Host);
        }
        else
        {
            reporter.Retry.FailureNotRetried(unit.Exceptions[^1], unit.Failures, host, failure.Reason, failure.KindName, sqlState);
        }
    }
}
