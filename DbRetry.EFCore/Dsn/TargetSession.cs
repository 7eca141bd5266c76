namespace DbRetry.EFCore;

/// <summary>
/// Which kind of session a connection must, or should, get when a DSN names several hosts: libpq's
/// <c>target_session_attrs</c> (PostgreSQL manual 34.1.2) plus Npgsql's <c>prefer-primary</c>.
/// </summary>
public enum TargetSession
{
    /// <summary>Any server that accepts the connection.</summary>
    Any,

    /// <summary>The server is no hot standby and <c>default_transaction_read_only</c> is off.</summary>
    ReadWrite,

    /// <summary>The server is a hot standby or <c>default_transaction_read_only</c> is on.</summary>
    ReadOnly,

    /// <summary>The server is no hot standby.</summary>
    Primary,

    /// <summary>The server is a hot standby.</summary>
    Standby,

    /// <summary>A primary when there is one, else any server.</summary>
    PreferPrimary,

    /// <summary>A standby when there is one, else any server.</summary>
    PreferStandby,
}
