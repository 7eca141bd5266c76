namespace DbRetry.EFCore;

/// <summary>What went wrong, as far as it matters for running the work again.</summary>
public enum FailureKind
{
    /// <summary>The same work would fail the same way again, or nobody can tell: it surfaces at once, as itself.</summary>
    Permanent,

    /// <summary>The caller gave up. Never repeated, whatever else is said.</summary>
    Cancelled,

    /// <summary>Another transaction was in the way (40001, 40P01): the database is there, and free again within a moment.</summary>
    Conflict,

    /// <summary>An established connection broke, or its backend was terminated.</summary>
    LostConnection,

    /// <summary>
    /// No connection could be made: refused, unreachable, not resolvable, too slow, cut while it was set up, a server that starts, stops or is full,
    /// or no host of the wanted role.
    /// </summary>
    HostUnavailable,

    /// <summary>The host does not take writes (25006): most often a primary that was demoted without this client's knowledge.</summary>
    ReadOnlyHost,

    /// <summary>Somebody who ought to know says that the outcome is not known (40003, 08007, <see cref="CommitOutcomeUnknownException"/>).</summary>
    OutcomeUnknown,

    /// <summary>Permanent by the built-in table, retriable by the application's own declaration.</summary>
    Declared,
}
