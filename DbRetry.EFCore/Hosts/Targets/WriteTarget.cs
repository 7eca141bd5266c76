namespace DbRetry.EFCore.Hosts.Targets;

/// <summary>Where work goes that writes.</summary>
internal static class WriteTarget
{
    /// <summary>The target session of a write in the place of <paramref name="target"/>; <see langword="null"/> where no host of that would take it.</summary>
    /// <remarks>
    /// A preference is about reads: a write has to go where writes are taken, and to wait for that host. Where there is one host only, there is nothing to
    /// choose, and what stands behind its name (a proxy, a pooler) may choose by itself. <see cref="TargetSession.ReadOnly"/> may lead to a primary whose
    /// sessions are read-only by default, and an application can change that for its own.
    /// </remarks>
    internal static TargetSession? For(TargetSession target, int hosts)
        => target switch
        {
            TargetSession.Standby => null,
            TargetSession.Any or TargetSession.PreferStandby when hosts > 1 => TargetSession.ReadWrite,
            TargetSession.PreferPrimary when hosts > 1 => TargetSession.Primary,
            _ => target,
        };

    /// <summary>What to do about a host that did not take a write (25006).</summary>
    /// <param name="target">What the connection was opened for; <see langword="null"/> if DbRetry did not open it.</param>
    /// <param name="hosts">How many hosts there were to choose from.</param>
    /// <param name="serverIsReadOnly">Whether it takes none at all; <see langword="null"/> if it does not tell.</param>
    internal static ReadOnlyHostRemedy AfterRefusal(TargetSession? target, int hosts, bool? serverIsReadOnly)
        => serverIsReadOnly is false ? ReadOnlyHostRemedy.None
            : target switch
            {
                TargetSession.Standby or TargetSession.ReadOnly => ReadOnlyHostRemedy.AnotherTarget,
                TargetSession.Any or TargetSession.PreferStandby or TargetSession.PreferPrimary when hosts > 1 => ReadOnlyHostRemedy.ThePrimary,
                _ => ReadOnlyHostRemedy.AnotherHost,
            };
}

/// <summary>What helps against a host that does not take writes.</summary>
internal enum ReadOnlyHostRemedy
{
    /// <summary>The host does take writes: the application made its transaction read-only, and it will again.</summary>
    None,

    /// <summary>The target session leads to such hosts only: the application has to ask for another one.</summary>
    AnotherTarget,

    /// <summary>The host may be what the target session prefers; the unit belongs on the primary.</summary>
    ThePrimary,

    /// <summary>It was the primary, and is none any more.</summary>
    AnotherHost,
}
