using System.Diagnostics;
using DbRetry.Bench.Overhead;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.Bench.Growth;

/// <summary>Whether anything is kept of operations that are over: opens, queries, saves and retries, each with a context of its own.</summary>
internal static class ManyOperations
{
    private const int Callers = 4;
    private const int RetryEvery = 50;
    private const int WarmUp = 2000;
    private const double FlatMegabytes = 1;
    private const string Fail = "do $$ begin raise exception using errcode = '40001'; end $$";

    public static async Task<IReadOnlyList<Finding>> MeasureAsync(BenchServer server, IReadOnlyList<int> milestones)
    {
        // Every first attempt of a retried unit fails, whoever is beside it, so that pauses would grow to their bound and take most of the time.
        var options = new DbContextOptionsBuilder<ItemContext>().UseNpgsql(server.ConnectionString)
            .UseDbRetry(static options => options.ConflictDelay = options.MaxConflictDelay = TimeSpan.FromMilliseconds(1)).Options;
        await RunAsync(options, WarmUp);
        var findings = new List<Finding>();
        var done = 0;
        foreach (var milestone in milestones)
        {
            await RunAsync(options, milestone - done);
            done = milestone;
            var heap = GC.GetTotalMemory(forceFullCollection: true) / 1e6;
            using var process = Process.GetCurrentProcess();
            var growth = findings.Count == 0 ? 0 : heap - findings[0].Values[0].Value;
            findings.Add(new("many operations", $"{milestone:N0}",
                [
                    ("managed heap, MB", heap),
                    ("working set, MB", process.WorkingSet64 / 1e6),
                    ("handles", process.HandleCount),
                    ("threads", process.Threads.Count),
                    ("connections", await ConnectionsAsync(server)),
                ],
                growth <= FlatMegabytes ? "met" : $"grows by {growth:0.0} MB"));
        }
        return findings;
    }

    private static async Task<long> ConnectionsAsync(BenchServer server)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(server.ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()", connection);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static Task RunAsync(DbContextOptions<ItemContext> options, int operations)
        => Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
        {
            for (var number = caller; number < operations; number += Callers)
            {
                await using var context = new ItemContext(options);
                await OneAsync(context, number / Callers, caller);
            }
        })));

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
