using DbRetry.EFCore.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Docs;

[TestClass]
public sealed class MigrationSnippets
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task From_EFs_own_retries()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;
        var before = new DbContextOptionsBuilder<ShopContext>();
        var after = new DbContextOptionsBuilder<ShopContext>();

        // snippet: before
        before.UseNpgsql(connectionString, npgsql => npgsql.EnableRetryOnFailure(
            maxRetryCount: 5, maxRetryDelay: TimeSpan.FromSeconds(30), errorCodesToAdd: ["55P03"]));
        // end snippet

        // snippet: after
        after.UseNpgsql(connectionString).UseDbRetry(o =>
        {
            o.MaxRetryCount = 5;
            o.FailoverTimeout = TimeSpan.FromMinutes(1);
            o.RetriableSqlStates.Add("55P03");
        });
        // end snippet

        await using var old = new ShopContext(before.Options);
        Assert.HasCount(2, await old.Accounts.ToListAsync(Cancellation));
        await using var context = new ShopContext(after.Options);
        Assert.HasCount(2, await context.Accounts.ToListAsync(Cancellation));
    }

    [TestMethod]
    public async Task A_check_of_ones_own_goes_on_to_work()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        faults.CommitThenLoseAcknowledgement();
        await using var context = shop.Context(o => o.CommitVerification = CommitVerification.Surface, faults);
        var order = new ShopContext.Order { RequestId = Guid.NewGuid(), Total = 9 };
        context.Orders.Add(order);

        // snippet: verify succeeded
        await context.Database.CreateExecutionStrategy().ExecuteInTransactionAsync(
            () => context.SaveChangesAsync(acceptAllChangesOnSuccess: false),
            () => context.Orders.AsNoTracking().AnyAsync(o => o.RequestId == order.RequestId));
        context.ChangeTracker.AcceptAllChanges();
        // end snippet

        faults.AssertAllHit();
        Assert.AreEqual(1L, await shop.OrdersAsync());
    }

    [TestMethod]
    public async Task From_the_Python_library()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var template = shop.ConnectionString;
        var databaseName = shop.Database.Name;

        // snippet: python
        var connectionString = PostgresDsn.Build(template, databaseName, useReplica: false);
        await DbRetryPolicy.ExecuteAsync(async cancellationToken =>
        {
            await using var connection = new NpgsqlConnection(connectionString);
            await connection.OpenAsync(cancellationToken);
            await using var command = new NpgsqlCommand("update accounts set balance = balance + 1", connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
        });
        // end snippet

        Assert.AreEqual((101L, 101L), await shop.BalancesAsync());
    }
}
