namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>A story about a cluster of three nodes.</summary>
/// <param name="Name">One word.</param>
/// <param name="Title">What happens.</param>
/// <param name="Story">As <see cref="IFailoverBed.PlayAsync"/>.</param>
internal sealed record LocalScenario(string Name, string Title, Func<LocalBed, CancellationToken, IAsyncEnumerable<Outage>> Story)
{
    /// <summary>Every commit waits for one standby, so that whatever is lost was lost by the client.</summary>
    public bool Synchronous { get; init; } = true;

    /// <summary>Clients reach every host through a fault proxy.</summary>
    public bool Proxied { get; init; }

    /// <summary>The story is about those who read on standbys.</summary>
    public bool Reading { get; init; }
}
