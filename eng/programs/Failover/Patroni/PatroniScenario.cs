using DbRetry.EFCore.Tests.Support.Failover;

namespace DbRetry.Failover.Patroni;

/// <summary>A story about a cluster that Patroni manages.</summary>
/// <param name="Name">One word.</param>
/// <param name="Title">What happens.</param>
/// <param name="Story">As <see cref="IFailoverBed.PlayAsync"/>.</param>
internal sealed record PatroniScenario(string Name, string Title, Func<PatroniBed, CancellationToken, IAsyncEnumerable<Outage>> Story)
{
    /// <summary>Patroni's synchronous mode, so that whatever is lost was lost by the client.</summary>
    public bool Synchronous { get; init; } = true;
}
