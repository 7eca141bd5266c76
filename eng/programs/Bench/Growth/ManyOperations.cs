using System.Diagnostics;
using DbRetry.Bench.Overhead;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Bench.Growth;

/// <summary>Whether anything is kept of operations that are over: opens, queries, saves and retries, each with a context of its own.</summary>
internal static class ManyOperations
{
    private const int Callers = 4;
    private const int RetryEvery = 50;
    private const int Samples = 10;
    private const double FlatMegabytes = 1;
    private const string Fail = "do $$ begin raise exception using errcode = '40001'; end $$";

    public static async Task<IReadOnlyList<Finding>> MeasureAsync(BenchServer server, TimeSpan length)
    {
        var options = new DbContextOptionsBuilder<ItemContext>().UseNpgsql(server.ConnectionString).UseDbRetry().Options;
        var operations = 0L;
        await RunAsync(options, length / Samples);
        var memory = new List<double>();
        for (var sample = 0; sample < Samples; sample++)
        {
            operations += await RunAsync(options, length / Samples);
            memory.Add(GC.GetTotalMemory(forceFullCollection: true) / 1e6);
        }
        var growth = memory[^1] - memory[0];
        return
        [
            new("many operations", $"{operations:N0}",
                [("memory at first, MB", memory[0]), ("at last, MB", memory[^1]), ("most, MB", memory.Max())], growth <= FlatMegabytes ? "met" : $"grows by {growth:0.0} MB"),
        ];
    }

    private static async Task<long> RunAsync(DbContextOptions<ItemContext> options, TimeSpan length)
    {
        var started = Stopwatch.GetTimestamp();
        var counts = await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
        {
            var count = 0L;
            for (; Stopwatch.GetElapsedTime(started) < length; count++)
            {
                await using var context = new ItemContext(options);
                await OneAsync(context, count, caller);
            }
            return count;
        })));
        return counts.Sum();
    }

    private static async Task OneAsync(ItemContext context, long number, int caller)
    {
        if (number % RetryEvery == 0)
        {
            var attempts = 0;
            await context.Database.ExecuteInTransactionScopeAsync(async cancellationToken =>
            {
                await context.Items.Where(item => item.Id == caller + 1).ExecuteUpdateAsync(set => set.SetProperty(item => item.N, item => item.N + 1), cancellationToken);
                if (attempts++ == 0)
                {
                    await context.Database.ExecuteSqlRawAsync(Fail, cancellationToken);
                }
            });
        }
        else if (number % RetryEvery == 1)
        {
            context.Entries.Add(new Entry { Name = "one more entry" });
            await context.SaveChangesAsync();
        }
        else
        {
            await context.Database.OpenConnectionAsync();
            await context.Items.AsNoTracking().FirstAsync(item => item.Id == caller + 1);
        }
    }
}
