namespace DbRetry.EFCore.Retry;

/// <summary>How far an attempt had come when it failed.</summary>
internal enum AttemptPhase
{
    /// <summary>Nothing was sent yet.</summary>
    None,

    /// <summary>Choosing a host and connecting to it.</summary>
    Opening,

    /// <summary>Running a statement outside a transaction that only reads.</summary>
    ReadingAlone,

    /// <summary>Running a statement outside a transaction that may write: it commits by itself.</summary>
    WritingAlone,

    /// <summary>Inside a transaction whose COMMIT was not sent.</summary>
    InTransaction,

    /// <summary>COMMIT may have been sent.</summary>
    Committing,

    /// <summary>The outcome is known and acknowledged: nothing of this attempt may run again.</summary>
    Ended,
}
