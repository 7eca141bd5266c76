using System.Data;
using DbRetry.EFCore.Testing;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Docs;

[TestClass]
public sealed class ContentionSnippets
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_report_that_conflicts_with_nobody()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        await using var context = shop.Context();
        var cancellationToken = Cancellation;

        // snippet: report
        var sum = await context.Database.ExecuteInTransactionScopeAsync(
            token => context.Accounts.SumAsync(a => a.Balance, token),
            IsolationLevel.Serializable,
            TransactionScopeMode.ReadOnlyDeferrable,
            cancellationToken);
        // end snippet

        Assert.AreEqual(200L, sum);
    }

    [TestMethod]
    public async Task The_queue_can_be_turned_off()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;
        var optionsBuilder = new DbContextOptionsBuilder<ShopContext>();

        // snippet: no queue
        optionsBuilder.UseNpgsql(connectionString).UseDbRetry(o =>
        {
            o.QueueConflicts = false;
            o.MaxRetryCount = 10;
        });
        // end snippet

        var faults = new DbRetryFaults();
        faults.Conflict(times: 6);
        await using var context = new ShopContext(optionsBuilder.UseDbRetryFaults(faults).Options);
        await context.Accounts.ExecuteUpdateAsync(setters => setters.SetProperty(a => a.Balance, a => a.Balance + 1), Cancellation);
        faults.AssertAllHit();
        Assert.AreEqual((101L, 101L), await shop.BalancesAsync());
    }
}
