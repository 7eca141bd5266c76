namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>What a fault does to its connection.</summary>
internal readonly record struct FaultAction
{
    private FaultAction(FaultKind kind, TimeSpan duration = default)
    {
        Kind = kind;
        Duration = duration;
    }

    /// <summary>An orderly end: both sides read an end of stream.</summary>
    public static FaultAction Cut { get; } = new(FaultKind.Cut);

    /// <summary>TCP resets to both sides.</summary>
    public static FaultAction Reset { get; } = new(FaultKind.Reset);

    /// <summary>The connection stays open and nothing passes any more.</summary>
    public static FaultAction BlackHole { get; } = new(FaultKind.BlackHole);

    public FaultKind Kind { get; }

    public TimeSpan Duration { get; }

    /// <summary>The sender's messages from here on wait that long, once.</summary>
    public static FaultAction Delay(TimeSpan duration) => new(FaultKind.Delay, duration);
}
