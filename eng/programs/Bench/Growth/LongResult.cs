using System.Diagnostics;
using DbRetry.Bench.Overhead;
using DbRetry.EFCore;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Bench.Growth;

/// <summary>The memory that a long result takes while somebody looks at one row after the other, and how soon the first one comes.</summary>
internal static class LongResult
{
    private const int LookEvery = 10_000;
    private const double FlatMegabytes = 8;

    public static async Task<IReadOnlyList<Finding>> MeasureAsync(BenchServer server, int rows)
    {
        var ways = new (string Name, Action<DbContextOptionsBuilder> Configure)[]
        {
            ("plain UseNpgsql()", builder => builder.UseNpgsql(server.ConnectionString)),
            ("EnableRetryOnFailure()", builder => builder.UseNpgsql(server.ConnectionString, static npgsql => npgsql.EnableRetryOnFailure())),
            ("UseDbRetry(), ReadAhead", builder => builder.UseNpgsql(server.ConnectionString).UseDbRetry()),
            ("UseDbRetry(), Full", builder => builder.UseNpgsql(server.ConnectionString).UseDbRetry(static options => options.Buffering = ResultBuffering.Full)),
            ("UseDbRetry(), None", builder => builder.UseNpgsql(server.ConnectionString).UseDbRetry(static options => options.Buffering = ResultBuffering.None)),
        };
        var findings = new List<Finding>();
        foreach (var (name, configure) in ways)
        {
            var builder = new DbContextOptionsBuilder<ItemContext>();
            configure(builder);
            await using var context = new ItemContext(builder.Options);
            await ReadAsync(context, 1000);
            var (first, whole, growth) = await ReadAsync(context, rows);
            var verdict = !name.EndsWith("ReadAhead", StringComparison.Ordinal) ? "" : growth <= FlatMegabytes ? "met" : $"grows by {growth:0} MB";
            findings.Add(new($"a result of {rows:N0} rows", name,
                [("first row, ms", first.TotalMilliseconds), ("all rows, ms", whole.TotalMilliseconds), ("memory, MB", growth)], verdict));
        }
        return findings;
    }

    // What is alive, not what waits for the collector.
    private static async Task<(TimeSpan First, TimeSpan Whole, double Growth)> ReadAsync(ItemContext context, int rows)
    {
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var most = before;
        var seen = 0;
        var first = TimeSpan.Zero;
        var looking = TimeSpan.Zero;
        var started = Stopwatch.GetTimestamp();
        var items = context.Items
            .FromSqlRaw("select i as id, 'item number ' || i as name, i * 1.5 as price, now() as at, i as n from generate_series(1, {0}) i", rows)
            .AsNoTracking().AsAsyncEnumerable();
        await foreach (var item in items)
        {
            if (seen++ == 0)
            {
                first = Stopwatch.GetElapsedTime(started);
            }
            if (item.Id % (rows < LookEvery ? rows : rows / 10) == 1)
            {
                var looks = Stopwatch.GetTimestamp();
                most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true));
                looking += Stopwatch.GetElapsedTime(looks);
            }
        }
        return (first, Stopwatch.GetElapsedTime(started) - looking, (most - before) / 1e6);
    }
}
