using Microsoft.Extensions.Logging;

namespace DbRetry.EFCore.Diagnostics;

/// <summary>What is logged. Texts of exceptions may hold the application's data: only debug events carry one, and those about its own callbacks.</summary>
internal static partial class LogEvents
{
    [LoggerMessage(
        EventId = EventNumbers.AttemptRetried,
        EventName = $"{LogCategory.Retry}.{nameof(AttemptRetried)}",
        Level = LogLevel.Debug,
        Message = "Attempt {Attempt} on {Host} failed: {Reason} ({FailureKind}, SQLSTATE {SqlState}). The unit runs again in {DelayMs} ms.")]
    internal static partial void AttemptRetried(
        this ILogger logger, Exception exception, int attempt, string host, string reason, string failureKind, string sqlState, double delayMs);

    [LoggerMessage(
        EventId = EventNumbers.UnitRecovered,
        EventName = $"{LogCategory.Retry}.{nameof(UnitRecovered)}",
        Level = LogLevel.Information,
        Message = "The unit succeeded on {Host} in attempt {Attempt}, {ElapsedMs} ms after its first failure. The last failure was: {Reason} ({FailureKind}, SQLSTATE {SqlState}).")]
    internal static partial void UnitRecovered(
        this ILogger logger, string host, int attempt, double elapsedMs, string reason, string failureKind, string sqlState);

    [LoggerMessage(
        EventId = EventNumbers.ConflictsOvercome,
        EventName = $"{LogCategory.Retry}.{nameof(ConflictsOvercome)}",
        Level = LogLevel.Debug,
        Message = "The unit succeeded in attempt {Attempt}, {ElapsedMs} ms after it lost its first conflict (SQLSTATE {SqlState}).")]
    internal static partial void ConflictsOvercome(this ILogger logger, int attempt, double elapsedMs, string sqlState);

    [LoggerMessage(
        EventId = EventNumbers.FailureNotRetried,
        EventName = $"{LogCategory.Retry}.{nameof(FailureNotRetried)}",
        Level = LogLevel.Debug,
        Message = "Attempt {Attempt} on {Host} failed and is not run again: {Reason} ({FailureKind}, SQLSTATE {SqlState}).")]
    internal static partial void FailureNotRetried(
        this ILogger logger, Exception exception, int attempt, string host, string reason, string failureKind, string sqlState);

    [LoggerMessage(
        EventId = EventNumbers.RetriesExhausted,
        EventName = $"{LogCategory.Retry}.{nameof(RetriesExhausted)}",
        Level = LogLevel.Warning,
        Message = "The unit is given up after {Attempts} attempts over {ElapsedMs} ms, because {Why}. The last failure, on {Host}: {Reason} ({FailureKind}, SQLSTATE {SqlState}).")]
    internal static partial void RetriesExhausted(
        this ILogger logger, int attempts, double elapsedMs, string why, string host, string reason, string failureKind, string sqlState);

    [LoggerMessage(
        EventId = EventNumbers.RetryBudgetExhausted,
        EventName = $"{LogCategory.Retry}.{nameof(RetryBudgetExhausted)}",
        Level = LogLevel.Warning,
        Message = "The unit is given up after {Attempts} attempts over {ElapsedMs} ms, because {Why}. The last failure, on {Host}: {Reason} ({FailureKind}, SQLSTATE {SqlState}).")]
    internal static partial void RetryBudgetExhausted(
        this ILogger logger, int attempts, double elapsedMs, string why, string host, string reason, string failureKind, string sqlState);

    [LoggerMessage(
        EventId = EventNumbers.SessionEnded,
        EventName = $"{LogCategory.Retry}.{nameof(SessionEnded)}",
        Level = LogLevel.Information,
        Message = "Session {ProcessId}, which a failed attempt had left on {Host}, was ended, and its locks with it.")]
    internal static partial void SessionEnded(this ILogger logger, int processId, string host);

    [LoggerMessage(
        EventId = EventNumbers.CallbackFailed,
        EventName = $"{LogCategory.Retry}.{nameof(CallbackFailed)}",
        Level = LogLevel.Error,
        Message = "The application's {Callback} threw. What it was called about goes on all the same.")]
    internal static partial void CallbackFailed(this ILogger logger, Exception exception, string callback);

    [LoggerMessage(
        EventId = EventNumbers.HostFound,
        EventName = $"{LogCategory.Hosts}.{nameof(HostFound)}",
        Level = LogLevel.Information,
        Message = "{Host} answers. It is {Role}.")]
    internal static partial void HostFound(this ILogger logger, string host, string role);

    [LoggerMessage(
        EventId = EventNumbers.HostLost,
        EventName = $"{LogCategory.Hosts}.{nameof(HostLost)}",
        Level = LogLevel.Information,
        Message = "{Host} cannot be connected to.")]
    internal static partial void HostLost(this ILogger logger, string host);

    [LoggerMessage(
        EventId = EventNumbers.FailedOver,
        EventName = $"{LogCategory.Hosts}.{nameof(FailedOver)}",
        Level = LogLevel.Warning,
        Message = "{Host} is the primary in the place of {PreviousHost}. This process was without one for {ElapsedMs} ms.")]
    internal static partial void FailedOver(this ILogger logger, string host, string previousHost, double elapsedMs);

    [LoggerMessage(
        EventId = EventNumbers.WaitingForHost,
        EventName = $"{LogCategory.Hosts}.{nameof(WaitingForHost)}",
        Level = LogLevel.Debug,
        Message = "No host of {Cluster} can serve the session now. One is waited for.")]
    internal static partial void WaitingForHost(this ILogger logger, string cluster);

    [LoggerMessage(
        EventId = EventNumbers.DoubtResolved,
        EventName = $"{LogCategory.Commits}.{nameof(DoubtResolved)}",
        Level = LogLevel.Information,
        Message = "The connection to {Host} was lost during COMMIT. After {ElapsedMs} ms it is established what became of transaction {TransactionId}: {Outcome}.")]
    internal static partial void DoubtResolved(this ILogger logger, string host, double elapsedMs, string transactionId, string outcome);

    [LoggerMessage(
        EventId = EventNumbers.OutcomeUnknown,
        EventName = $"{LogCategory.Commits}.{nameof(OutcomeUnknown)}",
        Level = LogLevel.Error,
        Message = "The connection to {Host} was lost, and it is not known whether what was written, by transaction {TransactionId}, is committed: {Answers}.")]
    internal static partial void OutcomeUnknown(this ILogger logger, string host, string transactionId, string answers);

    [LoggerMessage(
        EventId = EventNumbers.ReloadRefused,
        EventName = $"{LogCategory.Configuration}.{nameof(ReloadRefused)}",
        Level = LogLevel.Warning,
        Message = "The changed options of DbRetry ('{Name}') are not used; those of before go on. {Problem}")]
    internal static partial void ReloadRefused(this ILogger logger, string name, string problem);
}
