using DbRetry.EFCore.Seams;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>
/// Spares the pool of a host to ask for types that the pool of another host of the same route has loaded: the servers of one cluster are copies of each other.
/// </summary>
/// <remarks>
/// All pools of a route have the same database and the same settings. Hosts of one list may still be strangers to each other, and then their types have other
/// OIDs: only a host that has told the same system identifier is a copy.
/// </remarks>
internal sealed class SharedTypes(Cluster cluster)
{
    private const int NoHost = -1;

    private readonly NpgsqlDataSource?[] _pools = new NpgsqlDataSource?[cluster.Hosts.Length];
    private readonly ServerTimeline?[] _loadedFrom = new ServerTimeline?[cluster.Hosts.Length];
    private volatile int _latest = NoHost;

    /// <summary>A connection was pointed at a host.</summary>
    internal void Bound(NpgsqlConnection connection, int host)
    {
        if (_pools[host] is null && PoolTypes.IsAvailable && DataSourceHosts.PoolOf(connection) is { } pool)
        {
            _pools[host] = pool;
            PoolTypes.Share(pool, () => SourceFor(host));
        }
    }

    /// <summary>A connection to a host serves: its pool has its types. Of primaries the last one counts, since it is there that types are reloaded.</summary>
    internal void Served(int host)
    {
        if (_latest != host && _pools[host] is not null && cluster[host].Timeline is { } timeline)
        {
            // What the host is later does not change where its pool has its types from.
            _loadedFrom[host] ??= timeline;
            _latest = host;
        }
    }

    /// <summary>The pool whose types are those of a host, as far as that is known.</summary>
    internal NpgsqlDataSource? SourceFor(int host)
        => _latest is >= 0 and var latest && IsCopy(cluster[host].Timeline, _loadedFrom[latest]) ? _pools[latest] : null;

    private static bool IsCopy(ServerTimeline? server, ServerTimeline? loadedFrom)
        => server is not null && server.SystemIdentifier == loadedFrom?.SystemIdentifier;
}
