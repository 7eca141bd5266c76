namespace DbRetry.EFCore.Retry;

/// <summary>How much the server had said when the attempt failed. Ordered by how much it proves.</summary>
internal enum ServerAnswer
{
    /// <summary>The connection ended without a word of the server that proves anything: what it was asked last may have been done.</summary>
    Missing,

    /// <summary>
    /// The server itself ended the session (FATAL) while it was busy with us. A lone statement is rolled back then. A COMMIT need not be: a batch
    /// that holds COMMIT is interrupted between COMMIT and Sync as well (PostgreSQL 15, 3,000 races of <c>SET CONSTRAINTS ALL IMMEDIATE; COMMIT</c>
    /// in one packet against SIGTERM: 35 got 57P01 for a transaction that was committed; 0 of 3,000 with a simple query <c>COMMIT</c>).
    /// </summary>
    SessionEnded,

    /// <summary>The server reported an error, or the connection outlived the failure, which shows the same: no answer is outstanding.</summary>
    Complete,
}
