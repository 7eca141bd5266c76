namespace DbRetry.EFCore;

/// <summary>Which hosts of a cluster may serve a session; libpq's <c>target_session_attrs</c>.</summary>
public enum TargetSession
{
    /// <summary>Any host.</summary>
    Any,

    /// <summary>A host that accepts writes by default.</summary>
    ReadWrite,

    /// <summary>A host that does not accept writes by default.</summary>
    ReadOnly,

    /// <summary>A host that is not in recovery.</summary>
    Primary,

    /// <summary>A host in recovery.</summary>
    Standby,

    /// <summary>A primary if there is one, else any host.</summary>
    PreferPrimary,

    /// <summary>A standby if there is one, else any host.</summary>
    PreferStandby,
}
