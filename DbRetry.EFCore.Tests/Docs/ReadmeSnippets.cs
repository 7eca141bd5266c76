using System.Data;
using DbRetry.EFCore.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace DbRetry.EFCore.Tests.Docs;

[TestClass]
public sealed class ReadmeSnippets
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task One_call_turns_it_on()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var services = new ServiceCollection();

        // snippet: register
        services.AddDbContext<ShopContext>(options => options
            .UseNpgsql("Host=db1,db2,db3;Database=shop;Username=app;Password=…")
            .UseDbRetry());
        // end snippet

        await using var provider = services.BuildServiceProvider();
        await using var scope = provider.CreateAsyncScope();
        var context = scope.ServiceProvider.GetRequiredService<ShopContext>();
        context.Database.SetConnectionString(shop.ConnectionString);
        Assert.HasCount(2, await context.Accounts.ToListAsync(Cancellation));
    }

    [TestMethod]
    public async Task A_unit_moves_money()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        faults.CommitThenLoseAcknowledgement();
        await using var context = shop.Context(faults: faults);
        var (fromId, toId, amount) = (1, 2, 10);
        var cancellationToken = Cancellation;

        // snippet: unit
        await context.Database.ExecuteInTransactionScopeAsync(
            async cancellationToken =>
            {
                var from = await context.Accounts.SingleAsync(a => a.Id == fromId, cancellationToken);
                var to = await context.Accounts.SingleAsync(a => a.Id == toId, cancellationToken);
                from.Balance -= amount;
                to.Balance += amount;
                await context.SaveChangesAsync(cancellationToken);
            },
            IsolationLevel.Serializable,
            cancellationToken);
        // end snippet

        faults.AssertAllHit();
        Assert.AreEqual((90L, 110L), await shop.BalancesAsync());
    }

    [TestMethod]
    public async Task A_scope_keeps_what_is_completed()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        await using var context = shop.Context();
        var order = new ShopContext.Order { RequestId = Guid.NewGuid(), Total = 7 };
        await CompletedAsync();
        Assert.AreEqual(1L, await shop.OrdersAsync());

        async Task CompletedAsync()
        {
            // snippet: scope
            await using var scope = await context.Database.BeginTransactionScopeAsync();
            context.Orders.Add(order);
            await context.SaveChangesAsync();
            await scope.CompleteAsync();
            // end snippet
        }
    }

    [TestMethod]
    public async Task A_URI_will_do()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var options = new DbContextOptionsBuilder<ShopContext>();

        // snippet: uri
        options.UseNpgsql("postgresql://app:secret@db1:5432,db2:5433/shop?target_session_attrs=read-write&sslmode=verify-full").UseDbRetry();
        // end snippet

        await using var context = new ShopContext(options.Options);
        StringAssert.Contains(context.Database.GetConnectionString(), "db1:5432,db2:5433");
        var here = new NpgsqlConnectionStringBuilder(shop.ConnectionString);
        var user = here.Password is { } password ? $"{here.Username}:{Uri.EscapeDataString(password)}" : here.Username;
        var host = here.Host!.Contains(':') ? here.Host : $"{here.Host}:{here.Port}";
        context.Database.SetConnectionString($"postgresql://{user}@{host}/{here.Database}?target_session_attrs=read-write");
        Assert.HasCount(2, await context.Accounts.ToListAsync(Cancellation));
    }

    [TestMethod]
    public async Task Work_without_a_context_is_retried_too()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        await shop.Database.ExecuteAsync("insert into orders(request_id, total) values (gen_random_uuid(), 3), (gen_random_uuid(), 4)", Cancellation);
        await using var dataSource = NpgsqlDataSource.Create(shop.ConnectionString);

        // snippet: policy
        var total = await DbRetryPolicy.ExecuteAsync(
            async cancellationToken =>
            {
                await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
                await using var command = new NpgsqlCommand("select sum(total)::bigint from orders", connection);
                return (long?)await command.ExecuteScalarAsync(cancellationToken);
            },
            idempotent: true);
        // end snippet

        Assert.AreEqual(7L, total);
    }
}
