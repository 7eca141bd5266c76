using DbRetry.EFCore;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Bench.Overhead;

/// <summary>One way to configure a context.</summary>
/// <param name="Name">For the reader of the table.</param>
/// <param name="Options">Of the context.</param>
internal sealed record Subject(string Name, DbContextOptions<ItemContext> Options)
{
    /// <summary>An item by its id. A compiled query belongs to one model, and each configuration has its own.</summary>
    public Func<ItemContext, int, Task<Item>> Compiled { get; } = EF.CompileAsyncQuery(
        (ItemContext context, int id) => context.Items.AsNoTracking().Single(item => item.Id == id));

    public ItemContext NewContext() => new(Options);

    public static Subject Plain(string connectionString) => Create("plain UseNpgsql()", builder => builder.UseNpgsql(connectionString));

    public static Subject Stock(string connectionString, string name = "EnableRetryOnFailure()")
        => Create(name, builder => builder.UseNpgsql(connectionString, static npgsql => npgsql.EnableRetryOnFailure()));

    public static Subject Ours(string connectionString, CommitVerification verification)
        => Create($"UseDbRetry(), {verification}", builder => builder.UseNpgsql(connectionString).UseDbRetry(options => options.CommitVerification = verification));

    public static Subject Ours(string connectionString, string name) => Create(name, builder => builder.UseNpgsql(connectionString).UseDbRetry());

    public static Subject Idle(string connectionString)
        => Create(
            "plain, with an idle strategy",
            builder => builder.UseNpgsql(connectionString, static npgsql => npgsql.ExecutionStrategy(static dependencies => new IdleStrategy(dependencies))));

    private static Subject Create(string name, Action<DbContextOptionsBuilder<ItemContext>> configure)
    {
        var builder = new DbContextOptionsBuilder<ItemContext>();
        configure(builder);
        return new(name, builder.Options);
    }
}
