using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Docs;

/// <summary>The shop that the documents speak of.</summary>
public sealed class ShopContext(DbContextOptions<ShopContext> options) : DbContext(options)
{
    public DbSet<Order> Orders => Set<Order>();

    public DbSet<Account> Accounts => Set<Account>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        ArgumentNullException.ThrowIfNull(modelBuilder);
        modelBuilder.Entity<Order>(order =>
        {
            order.ToTable("orders");
            order.Property(o => o.Id).HasColumnName("id");
            order.Property(o => o.RequestId).HasColumnName("request_id");
            order.Property(o => o.Day).HasColumnName("day");
            order.Property(o => o.Total).HasColumnName("total");
        });
        modelBuilder.Entity<Account>(account =>
        {
            account.ToTable("accounts");
            account.Property(a => a.Id).HasColumnName("id");
            account.Property(a => a.Balance).HasColumnName("balance");
        });
    }

    public sealed class Order
    {
        public long Id { get; set; }

        public Guid RequestId { get; set; }

        public DateOnly Day { get; set; }

        public long Total { get; set; }
    }

    public sealed class Account
    {
        public int Id { get; set; }

        public long Balance { get; set; }
    }
}
