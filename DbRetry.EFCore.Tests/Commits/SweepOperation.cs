using System.Data;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Item = DbRetry.EFCore.Tests.Retry.CounterContext.Item;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>Something that applications do, and what it leaves in the database when it is applied once.</summary>
/// <param name="Name">For the table.</param>
/// <param name="Run">Does it, synchronously or asynchronously.</param>
/// <param name="Counter">By how much the counter grows.</param>
/// <param name="Items">How many items are added.</param>
/// <param name="MayFail">Whether it may fail, cleanly, because nobody can run it again.</param>
internal sealed record SweepOperation(string Name, Func<CounterContext, bool, Task> Run, long Counter = 0, long Items = 0, bool MayFail = false)
{
    /// <summary>How many statements EF puts into one batch, so that few rows make several.</summary>
    public const int BatchSize = 3;

    public static IReadOnlyList<SweepOperation> All { get; } =
    [
        new("save 1 row", (context, async) => AddAsync(context, async, 1), Items: 1),
        new("save 3 rows", (context, async) => AddAsync(context, async, 3), Items: 3),
        new("save 3 batches", (context, async) => AddAsync(context, async, 7), Items: 7),
        new("ExecuteUpdate n = n + 1", (context, async) => context.IncrementAsync(async), Counter: 1),
        new("ExecuteDelete of nothing, then n + 1", DeleteAndIncrementAsync, Counter: 1),
        new("ExecuteSql n = n + 1", (context, async) => context.SqlAsync(async, "update counters set n = n + 1"), Counter: 1),
        new("unit with two saves", TwoSavesAsync, Items: 2),
        new("unit with save and update", SaveAndUpdateAsync, Counter: 1, Items: 1),
        new("ExecuteInTransaction, added outside", ExecuteInTransactionAsync, Items: 1),
        new("raw transaction outside a strategy", RawTransactionAsync, Counter: 1, Items: 1, MayFail: true),
        new("deferred constraint", DeferredAsync, Items: 1),
        new("SERIALIZABLE unit", SerializableAsync, Counter: 1),
        new("query", (context, async) => context.Counters.ListAsync(async)),
        new("streaming query", (context, async) => context.Counters.AsNoTracking().ListAsync(async)),
        new("query inside a unit with a write", QueryAndUpdateAsync, Counter: 1),
        new("save of a changed row", ChangeAsync, Counter: 1),
        new("scope", ScopeAsync, Counter: 1, Items: 1, MayFail: true),
        new("nested scopes", NestedScopesAsync, Counter: 1, Items: 1, MayFail: true),
        new("ExecuteInTransactionScope, added outside", ExecuteInTransactionScopeAsync, Counter: 1, Items: 2),
    ];

    public override string ToString() => Name;

    private static Task<int> AddAsync(CounterContext context, bool async, int rows)
    {
        for (var row = 0; row < rows; row++)
        {
            context.Items.Add(new Item { Name = $"item {row}" });
        }

        return context.SaveAsync(async);
    }

    private static async Task DeleteAndIncrementAsync(CounterContext context, bool async)
    {
        _ = async
            ? await context.Items.Where(item => item.Name == "none").ExecuteDeleteAsync()
            : context.Items.Where(item => item.Name == "none").ExecuteDelete();
        await context.IncrementAsync(async);
    }

    private static Task TwoSavesAsync(CounterContext context, bool async)
        => UnitAsync(context, async, null, async () =>
        {
            context.ChangeTracker.Clear();
            context.Items.Add(new Item { Name = "first" });
            await context.SaveAsync(async);
            context.Items.Add(new Item { Name = "second" });
            await context.SaveAsync(async);
        });

    private static Task SaveAndUpdateAsync(CounterContext context, bool async)
        => UnitAsync(context, async, null, async () =>
        {
            context.ChangeTracker.Clear();
            context.Items.Add(new Item { Name = "first" });
            await context.SaveAsync(async);
            await context.IncrementAsync(async);
        });

    private static Task SerializableAsync(CounterContext context, bool async)
        => UnitAsync(context, async, IsolationLevel.Serializable, () => context.IncrementAsync(async));

    private static Task QueryAndUpdateAsync(CounterContext context, bool async)
        => UnitAsync(context, async, null, async () =>
        {
            Assert.HasCount(1, await context.Counters.AsNoTracking().ListAsync(async));
            await context.IncrementAsync(async);
        });

    private static async Task ChangeAsync(CounterContext context, bool async)
    {
        var counter = (await context.Counters.ListAsync(async)).Single();
        counter.N++;
        await context.SaveAsync(async);
    }

    private static Task DeferredAsync(CounterContext context, bool async)
        => UnitAsync(context, async, null, async () =>
        {
            await context.SqlAsync(async, "set constraints all deferred");
            await context.SqlAsync(async, "insert into items(name) values ('deferred')");
        });

    private static Task ExecuteInTransactionAsync(CounterContext context, bool async)
    {
        context.Items.Add(new Item { Name = "outside" });
        var strategy = context.Database.CreateExecutionStrategy();
        return async
            ? Accept(strategy.ExecuteInTransactionAsync(
                () => context.SaveChangesAsync(acceptAllChangesOnSuccess: false), () => Task.FromResult(false)))
            : Accept(Twin.Caught(() =>
            {
                strategy.ExecuteInTransaction(() => context.SaveChanges(acceptAllChangesOnSuccess: false), () => false);
                return true;
            }));

        async Task Accept(Task work)
        {
            await work;
            context.ChangeTracker.AcceptAllChanges();
        }
    }

    private static async Task RawTransactionAsync(CounterContext context, bool async)
    {
        var transaction = await context.BeginAsync(async);
        try
        {
            context.Items.Add(new Item { Name = "raw" });
            await context.SaveAsync(async);
            await context.IncrementAsync(async);
            await transaction.CommitAsync(async);
        }
        finally
        {
            await transaction.EndAsync(async);
        }
    }

    private static async Task ScopeAsync(CounterContext context, bool async)
    {
        var scope = await context.BeginScopeAsync(async);
        try
        {
            context.Items.Add(new Item { Name = "scope" });
            await context.SaveAsync(async);
            await context.IncrementAsync(async);
            await scope.CompleteAsync(async);
        }
        finally
        {
            await scope.EndAsync(async);
        }
    }

    private static async Task NestedScopesAsync(CounterContext context, bool async)
    {
        var outer = await context.BeginScopeAsync(async);
        try
        {
            await ScopeAsync(context, async);
            await outer.CompleteAsync(async);
        }
        finally
        {
            await outer.EndAsync(async);
        }
    }

    private static Task ExecuteInTransactionScopeAsync(CounterContext context, bool async)
    {
        context.Items.Add(new Item { Name = "outside" });
        return context.UnitAsync(async, async () =>
        {
            context.Items.Add(new Item { Name = "inside" });
            await context.SaveAsync(async);
            await context.IncrementAsync(async);
        });
    }

    private static Task UnitAsync(CounterContext context, bool async, IsolationLevel? level, Func<Task> work)
        => context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            var transaction = await context.BeginAsync(async, level);
            try
            {
                await work();
                await transaction.CommitAsync(async);
            }
            finally
            {
                await transaction.EndAsync(async);
            }
        });
}
