using System.Collections.Concurrent;
using System.Collections.Immutable;
using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Probing;
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

    /// <summary>Whether hosts are probed by connections of the application's pools.</summary>
    public bool LendsPools { get; init; }

    /// <summary>The hosts that were connected to for probes.</summary>
    public ConcurrentQueue<int> Connected { get; } = new();

    /// <summary>The hosts whose probes let their connections go.</summary>
    public ConcurrentQueue<int> Disconnected { get; } = new();

    internal override bool CanProbe => Probe is not null;

    /// <summary>Hosts named a, b, c …, of which nothing is known.</summary>
    public static Cluster Hosts(int hosts)
        => new([.. Enumerable.Range(0, hosts).Select(host => new HostEndpoint($"{(char)('a' + host)}", 5432)).ToImmutableArray()]);

    internal override void Bind(NpgsqlConnection connection, int host)
    {
    }

    internal override async Task<IHostSession> ConnectAsync(int host, CancellationToken cancellationToken)
    {
        Connected.Enqueue(host);
        return new Session(this, host, await Probe!(host, cancellationToken));
    }

    internal override void ClearPool(int host) => Cleared.Add(host);

    // The first answer comes with the connection.
    private sealed class Session(FakeRoute route, int host, HostSighting? first) : IHostSession
    {
        private bool _asked;

        public bool IsPooled => route.LendsPools;

        public async Task<HostSighting?> AskAsync(TargetSession target, TimeSpan limit, CancellationToken cancellationToken)
        {
            var again = _asked;
            _asked = true;
            return again ? await route.Probe!(host, cancellationToken) : first;
        }

        public ValueTask DisposeAsync()
        {
            route.Disconnected.Enqueue(host);
            return ValueTask.CompletedTask;
        }
    }
}
