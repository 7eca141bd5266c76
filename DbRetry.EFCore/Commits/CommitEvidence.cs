namespace DbRetry.EFCore.Commits;

/// <summary>What a server says of a transaction id.</summary>
internal enum XidStatus
{
    /// <summary>Too old: its status is no longer kept (NULL).</summary>
    Forgotten,

    /// <summary>It has not been handed out yet (SQLSTATE 22023, "is in the future").</summary>
    InTheFuture,

    InProgress,

    Aborted,

    Committed,
}

/// <summary>What one server answered about a transaction.</summary>
/// <param name="Server">Its incarnation; <see langword="null"/> for a server in recovery, whose word counts for nothing.</param>
/// <param name="Status">What it says of the transaction id.</param>
/// <param name="Host">Its address, for messages.</param>
internal sealed record CommitEvidence(string Host, ServerIncarnation? Server, XidStatus Status);
