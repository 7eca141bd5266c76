using System.Collections.Immutable;
using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>A route to hosts that do not exist.</summary>
internal sealed class FakeRoute(Cluster cluster, TimeSpan? poolTimeout = null, TargetSession target = TargetSession.Any)
    : HostRoute(cluster, target, poolTimeout ?? TimeSpan.FromSeconds(15))
{
    /// <summary>The hosts whose pools were cleared, in that order.</summary>
    public List<int> Cleared { get; } = [];

    /// <summary>What a probe of a host finds; <see langword="null"/> when hosts are not probed.</summary>
    public Func<int, CancellationToken, Task<HostSighting?>>? Probe { get; init; }

    internal override bool CanProbe => Probe is not null;

    /// <summary>Hosts named a, b, c …, of which nothing is known.</summary>
    public static Cluster Hosts(int hosts)
        => new([.. Enumerable.Range(0, hosts).Select(host => new HostEndpoint($"{(char)('a' + host)}", 5432)).ToImmutableArray()]);

    internal override void Bind(NpgsqlConnection connection, int host)
    {
    }

    internal override Task<HostSighting?> ProbeAsync(int host, TargetSession target, TimeSpan limit, CancellationToken cancellationToken)
        => Probe!(host, cancellationToken);

    internal override void ClearPool(int host) => Cleared.Add(host);
}
