using DbRetry.EFCore.Diagnostics;
using Microsoft.Extensions.Logging;

namespace DbRetry.EFCore;

/// <summary>
/// The events of DbRetry's log, for <c>ConfigureWarnings</c> and for filters: <c>ConfigureWarnings(w => w.Ignore(DbRetryEventId.FailedOver))</c>.
/// </summary>
/// <remarks>They tell what happened to a database, not what is wrong with an application: a warning of these is never made an exception.</remarks>
public static class DbRetryEventId
{
    /// <summary>The lowest id. Ids are stable, in bands of a hundred: retries, hosts, commits, configuration.</summary>
    public const int BaseId = 50_000;

    /// <summary>Debug: an attempt failed, and the unit runs again.</summary>
    public static readonly EventId AttemptRetried = new(EventNumbers.AttemptRetried, $"{LogCategory.Retry}.{nameof(AttemptRetried)}");

    /// <summary>Information: a unit succeeded after attempts that failed.</summary>
    public static readonly EventId UnitRecovered = new(EventNumbers.UnitRecovered, $"{LogCategory.Retry}.{nameof(UnitRecovered)}");

    /// <summary>Debug: a unit succeeded after it had lost conflicts and nothing else.</summary>
    public static readonly EventId ConflictsOvercome = new(EventNumbers.ConflictsOvercome, $"{LogCategory.Retry}.{nameof(ConflictsOvercome)}");

    /// <summary>Debug: a failure surfaces because running the unit again would be of no use, or is not wanted.</summary>
    public static readonly EventId FailureNotRetried = new(EventNumbers.FailureNotRetried, $"{LogCategory.Retry}.{nameof(FailureNotRetried)}");

    /// <summary>Warning: a unit is given up because its attempts or its time are used up.</summary>
    public static readonly EventId RetriesExhausted = new(EventNumbers.RetriesExhausted, $"{LogCategory.Retry}.{nameof(RetriesExhausted)}");

    /// <summary>Warning: a unit is given up because the retry budget of its cluster is used up.</summary>
    public static readonly EventId RetryBudgetExhausted = new(EventNumbers.RetryBudgetExhausted, $"{LogCategory.Retry}.{nameof(RetryBudgetExhausted)}");

    /// <summary>Information: a session that a failed attempt had left on its server was ended.</summary>
    public static readonly EventId SessionEnded = new(EventNumbers.SessionEnded, $"{LogCategory.Retry}.{nameof(SessionEnded)}");

    /// <summary>Error: a callback of the application threw; the unit went on.</summary>
    public static readonly EventId CallbackFailed = new(EventNumbers.CallbackFailed, $"{LogCategory.Retry}.{nameof(CallbackFailed)}");

    /// <summary>Information: a host answered for the first time, again, or in another role than before.</summary>
    public static readonly EventId HostFound = new(EventNumbers.HostFound, $"{LogCategory.Hosts}.{nameof(HostFound)}");

    /// <summary>Information: a host cannot be connected to any more.</summary>
    public static readonly EventId HostLost = new(EventNumbers.HostLost, $"{LogCategory.Hosts}.{nameof(HostLost)}");

    /// <summary>Warning: another host than before is the primary.</summary>
    public static readonly EventId FailedOver = new(EventNumbers.FailedOver, $"{LogCategory.Hosts}.{nameof(FailedOver)}");

    /// <summary>Debug: no host can serve a session now, and one is waited for.</summary>
    public static readonly EventId WaitingForHost = new(EventNumbers.WaitingForHost, $"{LogCategory.Hosts}.{nameof(WaitingForHost)}");

    /// <summary>Information: a connection was lost during COMMIT, and it was established what became of the transaction.</summary>
    public static readonly EventId DoubtResolved = new(EventNumbers.DoubtResolved, $"{LogCategory.Commits}.{nameof(DoubtResolved)}");

    /// <summary>Error: it could not be established whether a transaction, or another write, was applied.</summary>
    public static readonly EventId OutcomeUnknown = new(EventNumbers.OutcomeUnknown, $"{LogCategory.Commits}.{nameof(OutcomeUnknown)}");

    /// <summary>Warning: the configuration changed to something that is not valid; what held before goes on.</summary>
    public static readonly EventId ReloadRefused = new(EventNumbers.ReloadRefused, $"{LogCategory.Configuration}.{nameof(ReloadRefused)}");
}
