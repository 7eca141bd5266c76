namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>The three ways in which a postmaster shuts down.</summary>
internal enum StopMode
{
    /// <summary>Waits until the last client has gone.</summary>
    Smart,

    /// <summary>Ends sessions (57P01), rolls back, writes a checkpoint.</summary>
    Fast,

    /// <summary>Ends at once (57P02) without a checkpoint; the next start recovers.</summary>
    Immediate,
}
