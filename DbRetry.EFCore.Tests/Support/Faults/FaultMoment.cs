namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>When, relative to the message it waits for, a fault happens.</summary>
internal enum FaultMoment
{
    /// <summary>The receiver never sees the message.</summary>
    BeforeForward,

    /// <summary>At once after the message went out: whether its receiver acts on it first is open.</summary>
    AfterForward,

    /// <summary>
    /// For messages of the frontend: when the server has reported ReadyForQuery for it, of which, as of the rest of its answer, the
    /// client sees nothing. After a COMMIT the server has certainly committed then. (CommandComplete alone would prove nothing: in
    /// autocommit and batches it precedes the commit.)
    /// </summary>
    AfterProcessed,
}
