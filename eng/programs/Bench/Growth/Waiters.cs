using System.Diagnostics;
using DbRetry.Bench.Overhead;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Bench.Growth;

/// <summary>What it costs to wait for a server that is away, and how soon everybody is served when it is back.</summary>
internal static class Waiters
{
    private static readonly TimeSpan Outage = TimeSpan.FromSeconds(3);

    public static async Task<IReadOnlyList<Finding>> MeasureAsync(BenchServer server, int waiters)
    {
        // A server has fewer places than an application has waiters; the pool hands them out.
        var options = new DbContextOptionsBuilder<ItemContext>()
            .UseNpgsql(server.ConnectionString.Replace("Timeout=5", "Timeout=60") + ";Maximum Pool Size=50").UseDbRetry().Options;
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => AskAsync(options)));
        await server.StopAsync();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var backAt = 0L;
        var asking = Enumerable.Range(0, waiters).Select(async _ =>
        {
            await AskAsync(options);
            return Stopwatch.GetElapsedTime(Volatile.Read(ref backAt));
        }).ToArray();
        await Task.Delay(Outage);
        var each = (GC.GetTotalMemory(forceFullCollection: true) - before) / (double)waiters;
        var processor = Process.GetCurrentProcess().TotalProcessorTime;
        await Task.Delay(TimeSpan.FromSeconds(1));
        var busy = Process.GetCurrentProcess().TotalProcessorTime - processor;
        await server.StartAsync();
        Volatile.Write(ref backAt, Stopwatch.GetTimestamp());
        var served = await Task.WhenAll(asking);
        Array.Sort(served);
        return
        [
            new("waiting for a server", $"{waiters:N0} units",
            [
                ("bytes each", each),
                ("processor time per second, ms", busy.TotalMilliseconds),
                ("half served, ms", served[waiters / 2].TotalMilliseconds),
                ("all served, ms", served[^1].TotalMilliseconds),
            ]),
        ];
    }

    private static async Task AskAsync(DbContextOptions<ItemContext> options)
    {
        await using var context = new ItemContext(options);
        await context.Items.AsNoTracking().FirstAsync(static item => item.Id == 17);
    }
}
