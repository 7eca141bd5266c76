using Npgsql;

namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>A cluster and the story that is played on it, as often as one likes.</summary>
internal interface IFailoverBed : IAsyncDisposable
{
    /// <summary>All hosts, as clients reach them.</summary>
    string ConnectionString { get; }

    /// <summary>
    /// Does harm, and yields when the cluster takes writes again. Goes on with the story when everybody is back.
    /// </summary>
    IAsyncEnumerable<Outage> PlayAsync(CancellationToken cancellationToken);

    /// <summary>Frees clients that hang in a server that answers no more.</summary>
    Task ReleaseAsync(CancellationToken cancellationToken);

    /// <summary>Brings all servers back.</summary>
    Task RestoreAsync(CancellationToken cancellationToken);

    /// <summary>A connection outside of the pools to the server that is the primary now.</summary>
    Task<NpgsqlConnection> OpenPrimaryAsync(CancellationToken cancellationToken);
}
