using Microsoft.EntityFrameworkCore;

namespace DbRetry.Sample.Shop;

internal sealed class ShopContext(DbContextOptions<ShopContext> options) : DbContext(options)
{
    public const int AccountCount = 4;

    public const long OpeningBalance = 1_000;

    public DbSet<Order> Orders => Set<Order>();

    public DbSet<Account> Accounts => Set<Account>();

    public DbSet<Transfer> Transfers => Set<Transfer>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Order>().HasMany(order => order.Lines).WithOne().HasForeignKey(line => line.OrderId);
        modelBuilder.Entity<Account>().HasData(
            Enumerable.Range(1, AccountCount).Select(id => new Account { Id = id, Balance = OpeningBalance }));
    }
}
