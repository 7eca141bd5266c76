using DbRetry.EFCore.Seams;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>
/// Spares the pool of a host to ask for types that the pool of another host of the same route has loaded: the servers of one cluster are copies of each other.
/// </summary>
/// <remarks>
/// All pools of a route have the same database and the same settings. Hosts of one list may still be strangers to each other, and then their types have other
/// OIDs: only a host that has told the same system identifier is a copy. One that is about to be asked may be taken for a copy until it has answered.
/// </remarks>
internal sealed class SharedTypes(Cluster cluster)
{
    private const int NoHost = -1;

    private readonly NpgsqlDataSource?[] _pools = new NpgsqlDataSource?[cluster.Hosts.Length];
    private readonly ServerTimeline?[] _loadedFrom = new ServerTimeline?[cluster.Hosts.Length];
    private readonly ServerTimeline?[] _supposed = new ServerTimeline?[cluster.Hosts.Length];
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
        => _latest is >= 0 and var latest && IsCopy(cluster[host].Timeline ?? Volatile.Read(ref _supposed[host]), _loadedFrom[latest]) ? _pools[latest] : null;

    /// <summary>Whether a connection of the pool of a host would load no types: it has some, or can have those of another one.</summary>
    internal bool Has(int host)
        => _pools[host] is { } pool && (PoolTypes.LoadedBy(pool) ?? (_latest is >= 0 and var latest ? PoolTypes.LoadedBy(_pools[latest]!) : null)) is not null;

    /// <summary>The first connection of the pool of a host may be made now, and the host is then asked over it who it is.</summary>
    internal void Suppose(int host)
    {
        if (_latest is >= 0 and var latest && _pools[host] is { } pool && PoolTypes.LoadedBy(pool) is null)
        {
            Volatile.Write(ref _supposed[host], _loadedFrom[latest]);
        }
    }

    /// <summary>Whether what was supposed of a host is not what it has told: its pool may have taken over the types of a stranger, and is to load its own.</summary>
    internal bool Refutes(int host, HostSighting sighting)
        => Volatile.Read(ref _supposed[host]) is { } supposed && supposed.SystemIdentifier != sighting.SystemIdentifier;

    /// <summary>Nothing is supposed of a host any more: it could not be connected to, or has answered.</summary>
    internal void Settled(int host) => Volatile.Write(ref _supposed[host], null);

    private static bool IsCopy(ServerTimeline? server, ServerTimeline? loadedFrom)
        => server is not null && server.SystemIdentifier == loadedFrom?.SystemIdentifier;
}
