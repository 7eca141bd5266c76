namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>What a caller was told.</summary>
internal enum CallOutcome
{
    /// <summary>The call returned.</summary>
    Acknowledged,

    /// <summary>The call threw.</summary>
    Failed,

    /// <summary>Nothing: the round was over, and nobody waited any longer.</summary>
    CutOff,
}
