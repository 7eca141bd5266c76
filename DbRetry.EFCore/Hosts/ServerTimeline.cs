namespace DbRetry.EFCore.Hosts;

/// <summary>Which history a server writes: every promotion begins a timeline with a higher number (PostgreSQL manual, 26.3.5).</summary>
/// <param name="SystemIdentifier">The same on all servers of a cluster, and on no other.</param>
/// <param name="Timeline">The timeline that it writes, or that it last wrote.</param>
internal sealed record ServerTimeline(long SystemIdentifier, int Timeline)
{
    /// <summary>Reads the system identifier. Every role may ask.</summary>
    internal const string SystemIdentifierSql = "(SELECT system_identifier FROM pg_catalog.pg_control_system())";

    /// <summary>
    /// Reads the timeline that a primary writes; an error on a standby. pg_walfile_name shows the live one, while that in pg_control_checkpoint() is stale
    /// after a promotion (ServerBehavior/TransactionStatusFacts). PostgreSQL 10 and later; every role may ask.
    /// </summary>
    internal const string TimelineSql
        = "('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8))::pg_catalog.bit(32)::pg_catalog.int4";

    /// <summary>Whether the server was a primary once, and another one has been promoted since: what it still accepts will be thrown away.</summary>
    /// <param name="newest">The newest timeline of its cluster that anybody has seen; another cluster's says nothing.</param>
    internal bool IsSupersededBy(ServerTimeline? newest)
        => newest is { } other && SystemIdentifier == other.SystemIdentifier && Timeline < other.Timeline;
}

/// <summary>What a host told when it was asked.</summary>
/// <param name="Role">Its role.</param>
/// <param name="Timeline">Its timeline, if it accepts writes and tells.</param>
internal readonly record struct HostSighting(HostRole Role, ServerTimeline? Timeline)
{
    /// <summary>Its system identifier, if it tells: a standby may as well.</summary>
    internal long? SystemIdentifier { get; init; } = Timeline?.SystemIdentifier;

    /// <summary>Whether it may be the older one of two primaries: it is one, and shows no promotion.</summary>
    /// <param name="newest">The newest timeline of its cluster that was known before; <see langword="null"/> if none was.</param>
    internal bool MayBeReplaced(ServerTimeline? newest) => Role is HostRole.Primary && Timeline is not null && (newest is null || Timeline == newest);

    public static implicit operator HostSighting(HostRole role) => new(role, null);
}
