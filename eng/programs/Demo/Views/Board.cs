using DbRetry.Demo.Load;
using DbRetry.Demo.Trouble;
using DbRetry.EFCore.Tests.Support.Cluster;

namespace DbRetry.Demo.Views;

/// <summary>Everything that a view may look at while the demo runs.</summary>
internal sealed class Board(RetryMode mode, LocalCluster cluster, RetryTally retries)
{
    public RetryMode Mode { get; } = mode;

    public Clock Clock { get; } = new();

    public RetryTally Retries { get; } = retries;

    public Ledger Ledger { get => field ??= new(Clock); }

    public EventLog Events { get => field ??= new(Clock); }

    public IEnumerable<(string Address, string Role)> Hosts() => Enumerable.Range(0, cluster.NodeCount).Select(node =>
        ($"127.0.0.1:{cluster.Port(node)}", !cluster.IsRunning(node) ? "down" : node == cluster.PrimaryIndex ? "primary" : "standby"));
}
