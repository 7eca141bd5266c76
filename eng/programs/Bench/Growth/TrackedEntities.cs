using DbRetry.Bench.Measuring;
using DbRetry.Bench.Overhead;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Bench.Growth;

/// <summary>What a unit costs whose change tracker can be put back, with and without a retry, by how much is tracked.</summary>
internal static class TrackedEntities
{
    // Fails once as a lost conflict does, in the first attempt.
    private const string Fail = "do $$ begin raise exception using errcode = '40001'; end $$";

    private static readonly int[] Counts = [0, 100, 10_000];

    public static async Task<IReadOnlyList<Finding>> MeasureAsync(BenchServer server, TimeSpan length)
    {
        var options = new DbContextOptionsBuilder<ItemContext>().UseNpgsql(server.ConnectionString).UseDbRetry(static options =>
        {
            options.QueueConflicts = false;
            options.ConflictDelay = TimeSpan.FromTicks(1);
            options.MaxConflictDelay = TimeSpan.FromTicks(1);
        }).Options;
        var findings = new List<Finding>();
        foreach (var count in Counts)
        {
            var context = new ItemContext(options);
            await context.Items.OrderBy(static item => item.Id).Take(count).LoadAsync();
            var contest = new Contest([() => StrategyAsync(context, detects: false), () => StrategyAsync(context, detects: true), () => UnitAsync(context, fails: false), () => UnitAsync(context, fails: true)]);
            await contest.RunAsync(length);
            findings.Add(new("tracked entities", $"{count:N0}",
            [
                ("strategy alone, ms", contest.Time(0).Median * 1000),
                ("with DetectChanges, ms", contest.Time(1).Median * 1000),
                ("unit, ms", contest.Time(2).Median * 1000),
                ("unit with one retry, ms", contest.Time(3).Median * 1000),
                ("strategy alone, bytes", await contest.AllocatedAsync(0, 5)),
                ("with DetectChanges, bytes", await contest.AllocatedAsync(1, 5)),
                ("unit, bytes", await contest.AllocatedAsync(2, 5)),
                ("unit with one retry, bytes", await contest.AllocatedAsync(3, 5)),
            ]));
            await context.DisposeAsync();
        }
        return findings;
    }

    // A unit looks for changes before it begins; a save would, too.
    private static Task StrategyAsync(ItemContext context, bool detects)
        => context.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
        {
            if (detects)
            {
                context.ChangeTracker.DetectChanges();
            }
            await using var transaction = await context.Database.BeginTransactionAsync();
            await WorkAsync(context);
            await transaction.CommitAsync();
        });

    private static async Task UnitAsync(ItemContext context, bool fails)
    {
        var attempts = 0;
        await context.Database.ExecuteInTransactionScopeAsync(async cancellationToken =>
        {
            await WorkAsync(context);
            if (fails && attempts++ == 0)
            {
                await context.Database.ExecuteSqlRawAsync(Fail, cancellationToken);
            }
        });
    }

    private static Task<int> WorkAsync(ItemContext context)
        => context.Database.ExecuteSqlRawAsync("update items set n = n + 1 where id = 17");
}
