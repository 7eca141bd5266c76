namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>What a caller asks for.</summary>
internal enum CallKind
{
    /// <summary>Saves one new row.</summary>
    Insert,

    /// <summary>Reads a row, and saves it changed together with a new one.</summary>
    Update,

    /// <summary>Reads a row.</summary>
    Read,
}
