using DbRetry.EFCore.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace DbRetry.EFCore.Tests.Docs;

[TestClass]
public sealed class ExactlyOnceSnippets
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_witness_that_a_migration_made()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;
        var optionsBuilder = new DbContextOptionsBuilder<ShopContext>();
        var migrationBuilder = new MigrationBuilder("Npgsql.EntityFrameworkCore.PostgreSQL");

        // snippet: witness
        optionsBuilder
            .UseNpgsql(connectionString)
            .UseDbRetry(o => o.CommitVerification = CommitVerification.Witness);
        // end snippet

        // snippet: witness migration
        migrationBuilder.CreateDbRetryWitnessTable();
        // end snippet

        var faults = new DbRetryFaults();
        faults.CommitThenLoseAcknowledgement();
        await using var context = new ShopContext(optionsBuilder.UseDbRetryFaults(faults).Options);
        var commands = context.GetService<IMigrationsSqlGenerator>().Generate(migrationBuilder.Operations);
        await context.GetService<IMigrationCommandExecutor>().ExecuteNonQueryAsync(
            commands, context.GetService<Microsoft.EntityFrameworkCore.Storage.IRelationalConnection>(), Cancellation);
        context.Orders.Add(new() { RequestId = Guid.NewGuid(), Total = 1 });
        await context.SaveChangesAsync(Cancellation);
        faults.AssertAllHit();
        Assert.AreEqual(1L, await shop.OrdersAsync());
        Assert.IsGreaterThan(0L, await shop.Database.ScalarAsync<long>("select count(*) from dbretry_commits", Cancellation));
    }

    [TestMethod]
    public async Task An_unknown_outcome_is_looked_up_by_what_the_application_knows()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        faults.CommitThenLoseAcknowledgement();
        await using var context = shop.Context(o => o.CommitVerification = CommitVerification.Surface, faults);
        var order = new ShopContext.Order { RequestId = Guid.NewGuid(), Total = 9 };
        context.Orders.Add(order);
        bool? placed = null;

        // snippet: unknown
        try
        {
            await context.SaveChangesAsync();
            placed = true;
        }
        catch (CommitOutcomeUnknownException)
        {
            placed = await context.Orders.AsNoTracking().AnyAsync(o => o.RequestId == order.RequestId);
        }
        // end snippet

        faults.AssertAllHit();
        Assert.IsTrue(placed);
        Assert.AreEqual(1L, await shop.OrdersAsync());
    }
}
