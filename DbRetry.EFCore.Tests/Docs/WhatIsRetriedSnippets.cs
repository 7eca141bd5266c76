using DbRetry.EFCore.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Docs;

[TestClass]
public sealed class WhatIsRetriedSnippets
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_unit_by_EFs_own_means()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        faults.LoseConnectionBefore(statement: 2);
        await using var context = shop.Context(faults: faults);
        var order = new ShopContext.Order { RequestId = Guid.NewGuid(), Total = 5 };
        var cancellationToken = Cancellation;

        // snippet: strategy
        await context.Database.CreateExecutionStrategy().ExecuteAsync(
            async cancellationToken =>
            {
                context.ChangeTracker.Clear();
                await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
                context.Orders.Add(new() { RequestId = order.RequestId, Total = order.Total });
                await context.SaveChangesAsync(cancellationToken);
                await context.Accounts.ExecuteUpdateAsync(
                    setters => setters.SetProperty(a => a.Balance, a => a.Balance - order.Total), cancellationToken);
                await transaction.CommitAsync(cancellationToken);
            },
            cancellationToken);
        // end snippet

        faults.AssertAllHit();
        Assert.AreEqual(1L, await shop.OrdersAsync());
        Assert.AreEqual((95L, 95L), await shop.BalancesAsync());
    }

    [TestMethod]
    public async Task Further_failures_can_be_declared_retriable()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;
        var optionsBuilder = new DbContextOptionsBuilder<ShopContext>();

        // snippet: declare
        optionsBuilder.UseNpgsql(connectionString).UseDbRetry(o =>
        {
            o.RetriableSqlStates.Add(PostgresErrorCodes.LockNotAvailable);
            o.ShouldRetry = exception => exception is PostgresException { SqlState: "P0001", MessageText: "busy" } ? true : null;
        });
        // end snippet

        await using var context = new ShopContext(optionsBuilder.Options);
        await shop.Database.ExecuteAsync("create sequence tries", Cancellation);
        await context.Database.ExecuteSqlRawAsync(
            "do $$ begin if nextval('tries') < 3 then raise exception 'busy'; end if; end $$", Cancellation);
        Assert.AreEqual(3L, await shop.Database.ScalarAsync<long>("select last_value from tries", Cancellation));
    }

    [TestMethod]
    public async Task Mail_goes_out_behind_the_unit()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        faults.Conflict(times: 2);
        await using var context = shop.Context(faults: faults);
        var sent = new List<long>();
        Task SendMailAsync(long number)
        {
            sent.Add(number);
            return Task.CompletedTask;
        }

        // snippet: side effect
        var requestId = Guid.NewGuid();
        var number = await context.Database.ExecuteInTransactionScopeAsync(async () =>
        {
            var order = new ShopContext.Order { RequestId = requestId, Total = 5 };
            context.Orders.Add(order);
            await context.SaveChangesAsync();
            return order.Id;
        });
        await SendMailAsync(number);
        // end snippet

        faults.AssertAllHit();
        Assert.HasCount(1, sent);
        Assert.AreEqual(1L, await shop.OrdersAsync());
    }
}
