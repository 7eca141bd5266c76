using DbRetry.EFCore.Hosts;

namespace DbRetry.EFCore.Tests.Hosts.Simulation;

/// <summary>Somebody who opens a connection: the search itself is real.</summary>
internal sealed class SimulatedOpen(OpenSearch search, TargetSession target, TimeSpan startedAt)
{
    public OpenSearch Search => search;

    public TargetSession Target => target;

    public TimeSpan StartedAt => startedAt;

    /// <summary>How often each host was tried.</summary>
    public int[] Tries { get; } = new int[3];

    public bool IsServed { get; set; }
}
