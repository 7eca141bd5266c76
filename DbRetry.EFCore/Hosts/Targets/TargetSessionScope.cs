namespace DbRetry.EFCore.Hosts.Targets;

/// <summary>A stretch of work on one context with a target session of its own; it ends with its disposal.</summary>
internal sealed class TargetSessionScope(SessionTargets targets, TargetSessionScope? outer, TargetSession target, CommitPosition? readAfter) : IDisposable
{
    internal TargetSessionScope? Outer { get; } = outer;

    internal TargetSession Target { get; } = target;

    internal CommitPosition? ReadAfter { get; } = readAfter;

    internal bool IsOver { get; private set; }

    public void Dispose()
    {
        IsOver = true;
        targets.Leave();
    }
}
