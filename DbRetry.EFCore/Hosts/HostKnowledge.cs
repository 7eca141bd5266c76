namespace DbRetry.EFCore.Hosts;

/// <summary>What the process remembers of one host. Immutable; a cluster replaces it as a whole.</summary>
/// <param name="Role">The role that it was last seen in; <see langword="null"/> when never seen or not to be trusted any more.</param>
/// <param name="Timeline">The timeline that it was last seen to write; <see langword="null"/> for a standby, and when it is not known.</param>
/// <param name="AvoidUntil">The timestamp until which a host that failed is tried last; <see langword="null"/> for a healthy one.</param>
/// <param name="Stalled">Whether the failure cost time (no answer) rather than being told at once (refused).</param>
internal sealed record HostKnowledge(HostRole? Role, ServerTimeline? Timeline, long? AvoidUntil, bool Stalled)
{
    internal static readonly HostKnowledge Nothing = new(null, null, null, false);

    internal bool IsAvoided(long now) => AvoidUntil > now;

    /// <summary>It did not answer lately, and to ask it now would cost the whole limit again.</summary>
    internal bool IsSilent(long now) => Stalled && IsAvoided(now);

    /// <summary>It did not answer lately, and it is time to see whether it does now.</summary>
    internal bool IsDue(long now) => Stalled && !IsAvoided(now);
}
