namespace DbRetry.EFCore;

/// <summary>What the hosts of a cluster answered: see <c>Database.GetClusterStatusAsync()</c>.</summary>
/// <param name="Target">The session that the context wants.</param>
/// <param name="Hosts">Every host, in the order of their names.</param>
/// <param name="CanServe">Whether one of them can serve such a session.</param>
/// <param name="LatestFailover">The latest failover that this process has seen; <see langword="null"/> if it has seen none.</param>
public sealed record ClusterStatus(TargetSession Target, IReadOnlyList<HostStatus> Hosts, bool CanServe, FailoverEvent? LatestFailover)
{
    /// <summary>The timeline that the cluster writes, which every promotion raises; <see langword="null"/> if nobody tells.</summary>
    public int? Timeline => Hosts.Where(static host => host.Role is HostRole.Primary or HostRole.ReadOnlyPrimary)
        .Max(static host => host.Timeline);
}

/// <summary>What one host is.</summary>
/// <param name="Host">The host and its port, without credentials.</param>
/// <param name="Role">Its role; <see langword="null"/> if it did not answer.</param>
/// <param name="Timeline">The timeline that it writes; <see langword="null"/> for a standby, and for a host that does not tell.</param>
/// <param name="Problem">Why it did not answer, in a few words and without secrets; <see langword="null"/> if it did.</param>
public sealed record HostStatus(string Host, HostRole? Role, int? Timeline, string? Problem);
