namespace DbRetry.Demo.Load;

/// <summary>What a caller was told.</summary>
internal enum Outcome
{
    /// <summary>The call returned.</summary>
    Acknowledged,

    /// <summary>The call threw.</summary>
    Failed,

    /// <summary>The call threw, and said that nobody can know whether it was applied.</summary>
    Unknown,

    /// <summary>Nothing: the demo ended and did not wait any longer.</summary>
    CutOff,
}
