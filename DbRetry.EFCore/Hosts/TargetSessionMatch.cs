namespace DbRetry.EFCore.Hosts;

/// <summary>How well a host serves a target session; the meaning of libpq's <c>target_session_attrs</c> (PostgreSQL manual, 34.1.2).</summary>
internal enum TargetSessionMatch
{
    /// <summary>It is what was asked for.</summary>
    Fits,

    /// <summary>It will do when nothing that fits can be had.</summary>
    Acceptable,

    /// <summary>It must not be used.</summary>
    Unfit,
}

internal static class TargetSessionMatches
{
    internal static TargetSessionMatch Match(this TargetSession target, HostRole role)
        => target switch
        {
            TargetSession.Any => TargetSessionMatch.Fits,
            _ when role is HostRole.SupersededPrimary && Enum.IsDefined(target) => TargetSessionMatch.Unfit,
            TargetSession.ReadWrite => Required(role is HostRole.Primary),
            TargetSession.ReadOnly => Required(role is not HostRole.Primary),
            TargetSession.Primary => Required(role is not HostRole.Standby),
            TargetSession.Standby => Required(role is HostRole.Standby),
            TargetSession.PreferPrimary => Preferred(role is not HostRole.Standby),
            TargetSession.PreferStandby => Preferred(role is HostRole.Standby),
            _ => throw new ArgumentOutOfRangeException(nameof(target), target, "Unknown target session."),
        };

    /// <summary>Whether what an open connection reported, or told when it was asked, may be believed without asking again.</summary>
    /// <remarks>
    /// It is what the connection heard last: a standby that was promoted since still calls itself a standby there. So a report that suits is
    /// believed, one that does not is checked. A primary does not become a standby under an open connection: it would have to be restarted.
    /// </remarks>
    internal static bool Believes(this TargetSession target, HostRole? reported)
        => target is TargetSession.Any
            || (reported is { } role
                && (target.Match(role) is TargetSessionMatch.Fits || (target is TargetSession.Standby or TargetSession.PreferStandby)));

    /// <summary>Whether there is one host at most that fits.</summary>
    internal static bool IsForPrimary(this TargetSession target)
        => target is TargetSession.ReadWrite or TargetSession.Primary or TargetSession.PreferPrimary;

    /// <summary>Whether it is standbys that fit first of all.</summary>
    internal static bool IsForStandby(this TargetSession target)
        => target is TargetSession.Standby or TargetSession.PreferStandby or TargetSession.ReadOnly;

    private static TargetSessionMatch Required(bool met) => met ? TargetSessionMatch.Fits : TargetSessionMatch.Unfit;

    private static TargetSessionMatch Preferred(bool met) => met ? TargetSessionMatch.Fits : TargetSessionMatch.Acceptable;
}
