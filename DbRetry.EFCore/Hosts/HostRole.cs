namespace DbRetry.EFCore.Hosts;

/// <summary>What a host is to a session that connects to it.</summary>
internal enum HostRole
{
    /// <summary>Not in recovery, and sessions may write by default.</summary>
    Primary,

    /// <summary>Not in recovery, but <c>default_transaction_read_only</c> is on.</summary>
    ReadOnlyPrimary,

    /// <summary>In recovery (<c>in_hot_standby</c>).</summary>
    Standby,
}
