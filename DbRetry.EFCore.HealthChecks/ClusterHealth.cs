using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace DbRetry.EFCore.HealthChecks;

/// <summary>What the state of a cluster means for the health of an application.</summary>
internal static class ClusterHealth
{
    internal static HealthCheckResult Judge(ClusterStatus status, HealthStatus failureStatus)
    {
        var health = !status.CanServe ? failureStatus
            : status.Hosts.Any(static host => host.Role is null or HostRole.SupersededPrimary) ? HealthStatus.Degraded
            : HealthStatus.Healthy;
        return new HealthCheckResult(health, Describe(status), exception: null, Data(status));
    }

    private static string Describe(ClusterStatus status)
    {
        var problems = status.Hosts.Where(static host => host.Role is null or HostRole.SupersededPrimary).Select(static host => $"{host.Host} {Describe(host)}");
        var summary = status.CanServe
            ? $"Sessions of the kind {status.Target} can be served"
            : $"No host can serve a session of the kind {status.Target}";
        var answers = $"{status.Hosts.Count(static host => host.Role is not null)} of {status.Hosts.Count} hosts answer";
        return $"{summary}; {answers}{string.Concat(problems.Select(static problem => $"; {problem}"))}.";
    }

    private static string Describe(HostStatus host)
        => host.Role switch
        {
            null => $"does not answer ({host.Problem})",
            HostRole.Primary => "is the primary",
            HostRole.ReadOnlyPrimary => "is a primary that is read-only by default",
            HostRole.SupersededPrimary => "accepts writes although another primary has taken its place",
            _ => "is a standby",
        };

    private static Dictionary<string, object> Data(ClusterStatus status)
    {
        var data = new Dictionary<string, object>();
        foreach (var host in status.Hosts)
        {
            data[host.Host] = Describe(host);
        }

        if (status.Timeline is { } timeline)
        {
            data["timeline"] = timeline;
        }

        if (status.LatestFailover is { } failover)
        {
            data["lastFailover"] = string.Create(
                CultureInfo.InvariantCulture,
                $"{failover.FoundAt:O}: from {failover.PreviousHost} to {failover.Host}, without a primary for {failover.Duration.TotalSeconds:0.###} s");
        }

        return data;
    }
}
