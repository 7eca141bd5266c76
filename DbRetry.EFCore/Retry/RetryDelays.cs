namespace DbRetry.EFCore.Retry;

/// <summary>How long to wait before a retry, at most and at random.</summary>
internal static class RetryDelays
{
    /// <summary>
    /// A conflict passes within milliseconds. A lost connection takes as long as the host does; the waits are those between two looks for a usable
    /// one. About a declared failure nothing is known, so it gets the more patient pair.
    /// </summary>
    internal static TimeSpan Next(RetrySettings settings, FailureKind kind, int retry, double random01)
        => kind == FailureKind.Conflict
            ? Backoff.Next(retry, settings.ConflictDelay, settings.MaxConflictDelay, random01)
            : Backoff.Next(retry, settings.ReconnectDelay, settings.MaxReconnectDelay, random01);
}
