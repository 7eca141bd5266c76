using Microsoft.EntityFrameworkCore;

namespace DbRetry.Bench.Overhead;

/// <summary>What kind of goal an operation has.</summary>
internal enum OperationKind
{
    Read,

    /// <summary>One statement, which plain EF lets commit itself.</summary>
    WriteOfOneStatement,

    /// <summary>Several statements, which plain EF puts into a transaction as well.</summary>
    WriteInTransaction,
}

/// <param name="Name">For the reader of the table.</param>
/// <param name="Kind">Which goal it has.</param>
/// <param name="Run">What is measured, on a context that is kept.</param>
/// <param name="Floor">A write, put into a transaction of its own: what it costs at least if its outcome is to be told from COMMIT's.</param>
internal sealed record Operation(string Name, OperationKind Kind, Func<Subject, ItemContext, Task> Run, Func<ItemContext, Task>? Floor = null)
{
    private const int Id = 17;

    public static readonly Operation OpenAndClose = new("open and close", OperationKind.Read, static async (_, context) =>
    {
        await context.Database.OpenConnectionAsync();
        await context.Database.CloseConnectionAsync();
    });

    public static readonly Operation OneRow = new("query, 1 row", OperationKind.Read, static (_, context) => ReadAsync(context));

    public static readonly IReadOnlyList<Operation> All =
    [
        OpenAndClose,
        OneRow,
        new("query, 1 row, compiled", OperationKind.Read, static (subject, context) => subject.Compiled(context, Id)),
        new("query, 1 row, new context", OperationKind.Read, static async (subject, _) =>
        {
            await using var context = subject.NewContext();
            await ReadAsync(context);
        }),
        new("query, 1,000 rows", OperationKind.Read, static (_, context) => context.Items.AsNoTracking().Where(item => item.Id <= 1000).ToListAsync()),
        new("SaveChanges, 1 row", OperationKind.WriteOfOneStatement, static (_, context) => SaveAsync(context, 1), static async context =>
        {
            context.Database.AutoTransactionBehavior = AutoTransactionBehavior.Always;
            await SaveAsync(context, 1);
        }),
        new("SaveChanges, 10 rows", OperationKind.WriteInTransaction, static (_, context) => SaveAsync(context, 10)),
        new("SaveChanges, 1,000 rows", OperationKind.WriteInTransaction, static (_, context) => SaveAsync(context, 1000)),
        new("ExecuteUpdate, 1 row", OperationKind.WriteOfOneStatement, static (_, context) => UpdateAsync(context), static async context =>
        {
            await using var transaction = await context.Database.BeginTransactionAsync();
            await UpdateAsync(context);
            await transaction.CommitAsync();
        }),
        new("unit of two saves", OperationKind.WriteInTransaction, static (_, context) =>
            context.Database.CreateExecutionStrategy().ExecuteAsync(context, static async context =>
            {
                await using var transaction = await context.Database.BeginTransactionAsync();
                await SaveAsync(context, 1);
                await SaveAsync(context, 1);
                await transaction.CommitAsync();
            })),
    ];

    private static Task<Item> ReadAsync(ItemContext context)
    {
        var id = Id;
        return context.Items.AsNoTracking().SingleAsync(item => item.Id == id);
    }

    private static Task<int> UpdateAsync(ItemContext context)
    {
        var id = Id;
        return context.Items.Where(item => item.Id == id).ExecuteUpdateAsync(set => set.SetProperty(item => item.N, item => item.N + 1));
    }

    private static async Task SaveAsync(ItemContext context, int rows)
    {
        for (var i = 0; i < rows; i++)
        {
            context.Entries.Add(new Entry { Name = "one more entry", Price = i, At = DateTime.UnixEpoch });
        }
        await context.SaveChangesAsync();
        context.ChangeTracker.Clear();
    }
}
