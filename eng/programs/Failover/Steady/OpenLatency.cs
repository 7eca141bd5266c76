using System.Diagnostics;
using DbRetry.EFCore;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Failover;
using DbRetry.EFCore.Tests.Support.Faults;
using DbRetry.Failover.Results;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Failover.Steady;

/// <summary>
/// What opening a connection costs while one of three hosts, a standby, is dead or black-holed, beside the same with three healthy ones: the same servers
/// behind two sets of proxies, and the two opens in turn.
/// </summary>
internal sealed class OpenLatency(RawData data, TextWriter output)
{
    private const double Goal = 1.2;
    private const int Opens = 1_500;
    private const int DeadNode = 2;

    // Whoever finds out that a host is dead may pay for it; that is the discovery.
    private const int Discovery = 50;

    private static readonly (string Name, TargetSession Target)[] Targets =
        [("read-write", TargetSession.ReadWrite), ("prefer-standby", TargetSession.PreferStandby), ("any", TargetSession.Any)];

    private static readonly (string Name, Action<FaultProxy> Harm)[] Faults =
        [("dead", proxy => proxy.RefuseConnections()), ("black-holed", proxy => proxy.DropConnections())];

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await output.WriteLineAsync($"{Catalogue.Steady}: {Opens:N0} new connections each, one of three hosts dead or black-holed");
        await using var cluster = await LocalCluster.StartAsync(new() { Nodes = 3 }, cancellationToken);
        var table = new TextTable("one of three hosts", "all healthy: median", "p99", "one not: median", "p99", "slowest", "ratio of p99", "goal");
        var lines = new List<string> { "host,target,healthy_median_ms,healthy_p99_ms,median_ms,p99_ms,slowest_ms" };
        foreach (var (fault, harm) in Faults)
        {
            foreach (var (target, session) in Targets)
            {
                var (healthy, impaired) = await MeasureAsync(cluster, harm, session, cancellationToken);
                var ratio = impaired.P99 / healthy.P99;
                table.Add(
                    $"{fault}, {target}", Texts.Time(healthy.Median), Texts.Time(healthy.P99), Texts.Time(impaired.Median), Texts.Time(impaired.P99),
                    Texts.Time(impaired.Max), $"{ratio:0.00}", ratio <= Goal ? "met" : $"MISSED ({Goal:0.0})");
                lines.Add($"{fault},{target},{healthy.Median:0.000},{healthy.P99:0.000},{impaired.Median:0.000},{impaired.P99:0.000},{impaired.Max:0.000}");
            }
        }
        await File.WriteAllLinesAsync(data.PathOf("opens.csv"), lines, cancellationToken);
        await output.WriteLineAsync($"\nOpening a new connection with UseDbRetry()\n\n{table}");
    }

    private static async Task<(Quantiles Healthy, Quantiles Impaired)> MeasureAsync(
        LocalCluster cluster, Action<FaultProxy> harm, TargetSession target, CancellationToken cancellationToken)
    {
        FaultProxy[] healthyHosts = [.. Enumerable.Range(0, cluster.NodeCount).Select(Proxy)];
        FaultProxy[] impairedHosts = [.. Enumerable.Range(0, cluster.NodeCount).Select(Proxy)];
        try
        {
            harm(impairedHosts[DeadNode]);
            var (healthy, impaired) = (Options(healthyHosts), Options(impairedHosts));
            var (healthyTimes, impairedTimes) = (new List<double>(), new List<double>());
            for (var i = -Discovery; i < Opens; i++)
            {
                var (first, second) = (await OpenAsync(healthy, cancellationToken), await OpenAsync(impaired, cancellationToken));
                if (i >= 0)
                {
                    healthyTimes.Add(first);
                    impairedTimes.Add(second);
                }
            }
            return (new(healthyTimes), new(impairedTimes));
        }
        finally
        {
            foreach (var proxy in healthyHosts.Concat(impairedHosts))
            {
                await proxy.DisposeAsync();
            }
        }

        FaultProxy Proxy(int node)
        {
            var proxy = FaultProxy.Start(cluster.NodeConnectionString(node));
            proxy.Recording = false;
            return proxy;
        }

        DbContextOptions<ProofContext> Options(IEnumerable<FaultProxy> hosts)
            => new DbContextOptionsBuilder<ProofContext>()
                .UseNpgsql($"{FaultProxy.Through(cluster.ConnectionString(), hosts)};Pooling=false")
                .UseDbRetry(options => options.TargetSession = target)
                .Options;
    }

    private static async Task<double> OpenAsync(DbContextOptions<ProofContext> options, CancellationToken cancellationToken)
    {
        await using var context = new ProofContext(options);
        var started = Stopwatch.GetTimestamp();
        await context.Database.OpenConnectionAsync(cancellationToken);
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }
}
