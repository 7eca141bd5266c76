using System.Collections.Concurrent;
using System.Collections.Immutable;
using DbRetry.EFCore.Dsn;

namespace DbRetry.EFCore.Hosts;

/// <summary>The clusters of this process, by their hosts: what one context learns of a failover, all others know.</summary>
internal static class ClusterRegistry
{
    private static readonly ConcurrentDictionary<string, Cluster> Clusters = new(StringComparer.Ordinal);

    internal static Cluster Get(IEnumerable<HostEndpoint> hosts)
    {
        var normalised = hosts
            .Select(Normalise)
            .Distinct()
            .OrderBy(static host => host.ToString(), StringComparer.Ordinal)
            .ToImmutableArray();
        return Clusters.GetOrAdd(string.Join(',', normalised), static (_, hosts) => new Cluster(hosts), normalised);
    }

    internal static HostEndpoint Normalise(HostEndpoint host) => host.IsUnixSocket ? host : host with { Host = Lowercase(host.Host) };

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Globalization", "CA1308:Normalize strings to uppercase", Justification = "Host names are shown in lower case.")]
    private static string Lowercase(string host) => host.ToLowerInvariant();
}
