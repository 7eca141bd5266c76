namespace DbRetry.EFCore.Retry;

/// <summary>What became of the work of a failed attempt.</summary>
internal enum Verdict
{
    /// <summary>Nothing reached a server: run it again.</summary>
    NeverStarted,

    /// <summary>Whatever reached the server was undone, or changed nothing: run it again.</summary>
    RolledBack,

    /// <summary>
    /// It may have been applied. Ask the server; afterwards, if it was not applied, <see cref="Failure.IsRetriable"/> says whether to run it again.
    /// </summary>
    OutcomeInDoubt,

    /// <summary>The failure surfaces as itself.</summary>
    Permanent,
}
