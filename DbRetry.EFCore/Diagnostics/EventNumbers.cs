namespace DbRetry.EFCore.Diagnostics;

/// <summary>The ids of the events, in bands by area, behind those of EF Core and its providers (10,000 to 39,999). An id never changes its meaning.</summary>
internal static class EventNumbers
{
    internal const int AttemptRetried = RetryBase;
    internal const int UnitRecovered = RetryBase + 1;
    internal const int ConflictsOvercome = RetryBase + 2;
    internal const int FailureNotRetried = RetryBase + 3;
    internal const int RetriesExhausted = RetryBase + 4;
    internal const int RetryBudgetExhausted = RetryBase + 5;
    internal const int SessionEnded = RetryBase + 6;
    internal const int CallbackFailed = RetryBase + 7;

    internal const int HostFound = HostsBase;
    internal const int HostLost = HostsBase + 1;
    internal const int FailedOver = HostsBase + 2;
    internal const int WaitingForHost = HostsBase + 3;

    internal const int DoubtResolved = CommitsBase;
    internal const int OutcomeUnknown = CommitsBase + 1;

    internal const int ReloadRefused = ConfigurationBase;

    private const int RetryBase = DbRetryEventId.BaseId;
    private const int HostsBase = DbRetryEventId.BaseId + 100;
    private const int CommitsBase = DbRetryEventId.BaseId + 200;
    private const int ConfigurationBase = DbRetryEventId.BaseId + 300;
}
