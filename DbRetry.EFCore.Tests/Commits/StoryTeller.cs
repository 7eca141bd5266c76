using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Item = DbRetry.EFCore.Tests.Retry.CounterContext.Item;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>Lives a story, and keeps a model of what the database must hold if every step is applied exactly once.</summary>
internal sealed class StoryTeller(RetryBed bed)
{
    private readonly SortedSet<string> _items = new(StringComparer.Ordinal);
    private long _counter;
    private int _names;

    /// <returns>How many connections were lost.</returns>
    public async Task<int> TellAsync(Story story)
    {
        bed.Proxy.Arm(story.Blows.Select(blow => blow.Point));
        var context = bed.Context();
        try
        {
            foreach (var step in story.Steps)
            {
                await DoAsync(context, step);
                if (!story.OneContext)
                {
                    await context.DisposeAsync();
                    context = bed.Context();
                }
            }
        }
        finally
        {
            await context.DisposeAsync();
        }

        var lost = bed.Proxy.FaultsFired;
        bed.Proxy.Arm();

        var (counter, items) = await ReadAsync();
        Assert.AreEqual(_counter, counter, $"counter after {story}");
        Assert.AreEqual(string.Join(',', _items), items, $"items after {story}");
        return lost;
    }

    private async Task DoAsync(CounterContext context, Step step)
    {
        // Whatever the deeds draw on is drawn before: a repetition must do the same again.
        var deeds = step.Deeds.Select(deed => (Deed: deed, Name: $"item {++_names:000}")).ToList();
        var strategy = context.Database.CreateExecutionStrategy();
        switch (step.Frame)
        {
            case Frame.Bare:
                foreach (var (deed, name) in deeds)
                {
                    await DoAsync(context, deed, name, step.Async);
                    Apply(deed, name);
                }

                return;
            case Frame.Unit:
                await strategy.RunAsync(step.Async, async () =>
                {
                    context.ChangeTracker.Clear();
                    var transaction = await context.BeginAsync(step.Async, step.Level);
                    try
                    {
                        await DoAllAsync();
                        await transaction.CommitAsync(step.Async);
                    }
                    finally
                    {
                        await transaction.EndAsync(step.Async);
                    }
                });
                break;
            default:
                await (step.Async
                    ? strategy.ExecuteInTransactionAsync(_ => DoAllAfreshAsync(), _ => Task.FromResult(false), step.Level)
                    : Twin.Caught(() =>
                    {
                        strategy.ExecuteInTransaction(() => DoAllAfreshAsync().GetAwaiter().GetResult(), () => false, step.Level);
                        return true;
                    }));
                break;
        }

        deeds.ForEach(deed => Apply(deed.Deed, deed.Name));

        Task DoAllAfreshAsync()
        {
            context.ChangeTracker.Clear();
            return DoAllAsync();
        }

        async Task DoAllAsync()
        {
            foreach (var (deed, name) in deeds)
            {
                await DoAsync(context, deed, name, step.Async);
            }
        }
    }

    private static async Task DoAsync(CounterContext context, Deed deed, string name, bool async)
    {
        switch (deed)
        {
            case Deed.Increment:
                Assert.AreEqual(1, await context.IncrementAsync(async));
                break;
            case Deed.IncrementBySql:
                Assert.AreEqual(1, await context.SqlAsync(async, "update counters set n = n + 1"));
                break;
            case Deed.IncrementTracked:
                context.ChangeTracker.Clear();
                (await context.Counters.ListAsync(async)).Single().N++;
                Assert.AreEqual(1, await context.SaveAsync(async));
                break;
            case Deed.AddOne:
                await AddAsync(context, [name], async);
                break;
            case Deed.AddSeveral:
                await AddAsync(context, [name, $"{name} b", $"{name} c"], async);
                break;
            case Deed.DeleteFirst:
                await context.SqlAsync(async, "delete from items where name = (select min(name) from items)");
                break;
            default:
                Assert.HasCount(1, await context.Counters.AsNoTracking().ListAsync(async));
                break;
        }
    }

    private static async Task AddAsync(CounterContext context, string[] names, bool async)
    {
        var items = names.Select(name => new Item { Name = name }).ToList();
        context.AddRange(items);
        Assert.AreEqual(names.Length, await context.SaveAsync(async));
        Assert.IsTrue(items.TrueForAll(item => item.Id > 0 && context.Entry(item).State == EntityState.Unchanged), "Keys are generated and taken over.");
    }

    private void Apply(Deed deed, string name)
    {
        switch (deed)
        {
            case Deed.Increment or Deed.IncrementBySql or Deed.IncrementTracked:
                _counter++;
                break;
            case Deed.AddOne:
                _items.Add(name);
                break;
            case Deed.AddSeveral:
                _items.UnionWith([name, $"{name} b", $"{name} c"]);
                break;
            case Deed.DeleteFirst when _items.Min is { } first:
                _items.Remove(first);
                break;
        }
    }

    private async Task<(long Counter, string Items)> ReadAsync()
    {
        await using var connection = await bed.OpenAsync();
        return (
            (long)(await connection.ScalarAsync("select n from counters where id = 1"))!,
            (string)(await connection.ScalarAsync("select coalesce(string_agg(name, ',' order by name collate \"C\"), '') from items"))!);
    }
}
