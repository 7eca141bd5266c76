namespace DbRetry.EFCore;

/// <summary>What a host is to a session that connects to it.</summary>
public enum HostRole
{
    /// <summary>Not in recovery, and sessions may write by default.</summary>
    Primary,

    /// <summary>Not in recovery, but <c>default_transaction_read_only</c> is on.</summary>
    ReadOnlyPrimary,

    /// <summary>In recovery (<c>in_hot_standby</c>).</summary>
    Standby,

    /// <summary>It accepts writes, but a primary with a higher timeline has been seen: it was replaced and does not know it (split brain).</summary>
    SupersededPrimary,
}
