using DbRetry.EFCore.Hosts.Herd;
using DbRetry.EFCore.Hosts.Probing;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>How the connections of one connection string or data source reach the hosts of their cluster.</summary>
internal abstract class HostRoute(Cluster cluster, TargetSession target, TimeSpan poolTimeout)
{
    internal Cluster Cluster { get; } = cluster;

    /// <summary>Whose turn it is to connect after a failover.</summary>
    internal ConnectionHerd Herd { get; } = new(cluster);

    /// <summary>The types that the pools of its hosts can have from each other; <see langword="null"/> where there is one host.</summary>
    protected SharedTypes? Types { get; } = cluster.Hosts.Length > 1 ? new(cluster) : null;

    internal TargetSession Target { get; } = target;

    /// <summary>How long the user lets a connection wait for a place in the pool; <see cref="TimeSpan.MaxValue"/> for as long as it takes.</summary>
    internal TimeSpan PoolTimeout { get; } = poolTimeout;

    /// <summary>Whether anybody was ever let in: user and database exist.</summary>
    internal bool HasServed { get; private set; }

    /// <summary>To the hosts as they are known: names may have been found to have other addresses.</summary>
    internal virtual HostRoute Latest => this;

    /// <summary>To the hosts as they are now: asks for the addresses of names where that may help.</summary>
    internal virtual HostRoute LookUp() => this;

    /// <inheritdoc cref="LookUp"/>
    internal virtual ValueTask<HostRoute> LookUpAsync(CancellationToken cancellationToken) => new(this);

    /// <summary>Whether hosts can be probed apart from the connections of the application.</summary>
    internal virtual bool CanProbe => false;

    /// <summary>
    /// Whether a refused write means that the primary is elsewhere now, and not that somebody writes where only reads were wanted. One address may lead
    /// to any server; it led to a primary before.
    /// </summary>
    internal bool ExpectsWrites => Target is TargetSession.PreferPrimary || (Target is TargetSession.Any && Cluster.HasHadPrimary);

    /// <summary>A host of <see cref="Cluster"/>, for messages.</summary>
    internal virtual string NameOf(int host) => Cluster.Hosts[host].ToString();

    /// <summary>Points a closed connection at a host of <see cref="Cluster"/>.</summary>
    internal abstract void Bind(NpgsqlConnection connection, int host);

    /// <summary>Takes in that an open connection to a host fits.</summary>
    internal void Served(int host)
    {
        HasServed = true;
        Types?.Served(host);
    }

    /// <summary>Connects to a host as the application would, to ask what it is.</summary>
    internal virtual Task<IHostSession> ConnectAsync(int host, CancellationToken cancellationToken)
        => throw new NotSupportedException($"Hosts are not probed through {GetType().Name}.");

    /// <summary>Connects to a host in the place of all who wait for one: by what may be their first connection, if that is of use.</summary>
    internal virtual Task<IHostSession> ConnectForAllAsync(int host, CancellationToken cancellationToken) => ConnectAsync(host, cancellationToken);

    /// <summary>Connects to a host, and sees which role it has; <see langword="null"/> if any will do and it tells none.</summary>
    internal async Task<HostSighting?> ProbeAsync(int host, TargetSession target, TimeSpan limit, CancellationToken cancellationToken)
    {
        var session = await ConnectAsync(host, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            return await session.AskAsync(target, limit, CancellationToken.None).ConfigureAwait(false);
        }
    }

    /// <summary>A closed connection to a host, to ask it about what another connection has left there.</summary>
    /// <param name="lost">The other one. A clone has its data source, password and callbacks.</param>
    /// <param name="host">The host.</param>
    internal virtual NpgsqlConnection ConnectionForInquiry(NpgsqlConnection lost, int host)
    {
        var connection = (NpgsqlConnection)((ICloneable)lost).Clone();
        Bind(connection, host);
        return connection;
    }

    /// <summary>Drops the idle connections to a host: they went down with the one that was lost.</summary>
    internal abstract void ClearPool(int host);

    /// <summary>
    /// A host has another role than the wanted one. A single address may lead to another server by now, and idle connections lead to where it led before.
    /// </summary>
    internal void LeadsAstray(int host)
    {
        if (Cluster.Hosts.Length == 1)
        {
            ClearPool(host);
        }
    }
}

/// <summary>A host as one route reaches it.</summary>
internal readonly record struct HostRef(HostRoute Route, int Index)
{
    public override string ToString() => Route.NameOf(Index);

    /// <summary>A connection to it is free again.</summary>
    internal void Returned() => Route.Herd.Returned(Index);

    /// <summary>Stops trusting what was known of the host and its pooled connections.</summary>
    internal void Distrust()
    {
        Route.Cluster.Forget(Index);
        Route.ClearPool(Index);
    }
}
