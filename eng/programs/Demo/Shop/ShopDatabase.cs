using Microsoft.EntityFrameworkCore;

namespace DbRetry.Demo.Shop;

/// <summary>The tables, and the accounts that money is moved between.</summary>
internal static class ShopDatabase
{
    /// <summary>Few, so that transfers meet.</summary>
    public const int Accounts = 4;

    public const long OpeningBalance = 1_000;

    public static async Task CreateAsync(string connectionString, CancellationToken cancellationToken)
    {
        await using var context = new ShopContext(new DbContextOptionsBuilder<ShopContext>().UseNpgsql(connectionString).Options);
        await context.Database.EnsureCreatedAsync(cancellationToken);
        context.Accounts.AddRange(Enumerable.Range(1, Accounts).Select(id => new Account { Id = id, Balance = OpeningBalance }));
        await context.SaveChangesAsync(cancellationToken);
    }
}
