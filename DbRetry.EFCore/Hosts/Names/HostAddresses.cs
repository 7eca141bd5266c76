using System.Collections.Immutable;
using System.Net;
using DbRetry.EFCore.Dsn;

namespace DbRetry.EFCore.Hosts.Names;

/// <summary>Which hosts a name stands for: as with libpq (PostgreSQL manual, 34.1.1.3), each of several addresses is a host.</summary>
internal static class HostAddresses
{
    internal static bool IsName(HostEndpoint host) => !host.IsUnixSocket && !IPAddress.TryParse(host.Host, out _);

    /// <summary>Puts addresses in the places of the names that have several, in a steady order: resolvers shuffle their answers.</summary>
    internal static ImmutableArray<HostEndpoint> Expand(ImmutableArray<HostEndpoint> hosts, IReadOnlyDictionary<string, IPAddress[]> addresses)
        => [.. hosts.SelectMany(host => addresses.TryGetValue(host.Host, out var known) && AreSeveralServers(known) ? Servers(host, known) : [host])];

    private static IEnumerable<HostEndpoint> Servers(HostEndpoint name, IPAddress[] addresses)
        => addresses.Select(address => new HostEndpoint(address.ToString(), name.Port, name.Host))
            .Distinct()
            .OrderBy(static server => server.Host, StringComparer.Ordinal);

    // One address of each family is one server that can be reached by either, as localhost is.
    private static bool AreSeveralServers(IPAddress[] addresses)
        => addresses.Distinct().GroupBy(static address => address.AddressFamily).Any(static family => family.Skip(1).Any());
}
