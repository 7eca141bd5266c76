using DbRetry.EFCore.Tests.Support.Cluster;

namespace DbRetry.EFCore.Tests.Support;

/// <summary>An HAProxy of its own on a loopback port that leads to whichever node of a cluster passes its check.</summary>
internal static class HaProxy
{
    public const string Program = "haproxy";

    /// <summary>Starts one that knows the primary by HTTP, as it does with Patroni. The test is inconclusive where there is no HAProxy.</summary>
    public static Task<LocalProgram> StartAsync(LocalCluster cluster, HttpChecks checks, CancellationToken cancellationToken)
    {
        var servers = Enumerable.Range(0, cluster.NodeCount)
            .Select(node => $"    server n{node} 127.0.0.1:{cluster.Port(node)} check port {checks.Port(node)}\n");
        return LocalProgram.StartAsync(
            Program,
            "-db -q -f",
            port => $"""
                global
                    maxconn 500
                defaults
                    mode tcp
                    timeout connect 500ms
                    timeout client 10m
                    timeout server 10m
                    timeout check 500ms
                listen primary
                    bind 127.0.0.1:{port}
                    option httpchk GET /primary
                    http-check expect status 200
                    default-server inter 100ms fall 1 rise 1 on-marked-down shutdown-sessions
                {string.Concat(servers)}
                """,
            cancellationToken);
    }
}
