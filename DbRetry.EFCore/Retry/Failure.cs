namespace DbRetry.EFCore.Retry;

/// <summary>One failed attempt, classified.</summary>
/// <param name="Kind">What went wrong.</param>
/// <param name="Reason">Why it counts as that, in words for a log; names no host, no user and no statement.</param>
/// <param name="SqlState">The SQLSTATE that decided, if one did.</param>
/// <param name="Deciding">The exception of the chain that decided.</param>
/// <param name="Answer">What the server had said.</param>
internal readonly record struct Failure(FailureKind Kind, string Reason, string? SqlState, Exception Deciding, ServerAnswer Answer)
{
    /// <summary>Whether the server left nothing open.</summary>
    internal bool Answered => Answer == ServerAnswer.Complete;

    /// <summary>
    /// Whether running the work again is useful, once it is known that nothing of it was applied. After a doubt was resolved to "not committed"
    /// this is what decides: a cancelled or a permanently failing unit can be in doubt as well, and is not repeated all the same.
    /// </summary>
    internal bool IsRetriable => Kind is not (FailureKind.Permanent or FailureKind.Cancelled or FailureKind.OutcomeUnknown);

    /// <summary><see cref="Kind"/> as telemetry spells it.</summary>
    internal string KindName => Kind switch
    {
        FailureKind.Cancelled => "cancelled",
        FailureKind.Conflict => "conflict",
        FailureKind.LostConnection => "lost_connection",
        FailureKind.HostUnavailable => "host_unavailable",
        FailureKind.ReadOnlyHost => "read_only_host",
        FailureKind.OutcomeUnknown => "outcome_unknown",
        FailureKind.Declared => "declared",
        _ => "permanent",
    };
}
