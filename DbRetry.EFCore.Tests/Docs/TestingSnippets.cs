using System.Data;
using DbRetry.EFCore.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace DbRetry.EFCore.Tests.Docs;

[TestClass]
public sealed class TestingSnippets
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_transfer_survives_a_lost_acknowledgement()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;

        // snippet: first test
        var faults = new DbRetryFaults();
        await using var context = new ShopContext(new DbContextOptionsBuilder<ShopContext>()
            .UseNpgsql(connectionString)
            .UseDbRetry()
            .UseDbRetryFaults(faults)
            .Options);

        faults.CommitThenLoseAcknowledgement();
        await TransferAsync(context, from: 1, to: 2, amount: 10);

        faults.AssertAllHit();
        Assert.AreEqual(90, await BalanceAsync(1));
        // end snippet

        Task<long> BalanceAsync(int id) => shop.BalanceAsync(id);
    }

    [TestMethod]
    public async Task Each_fault()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        await using var context = shop.Context(o => o.MaxRetryCount = 10, faults);

        // snippet: each fault
        faults.LoseConnectionBefore(statement: 2);  // within the transaction; the server rolls it back
        faults.LoseConnectionBeforeCommit();        // in doubt, and not committed
        faults.CommitThenLoseAcknowledgement();     // in doubt, and committed
        faults.Conflict(times: 2);                  // 40001 at COMMIT
        faults.Conflict(sqlState: "40P01", beforeStatement: 1);
        faults.DemotePrimary();                     // 25006
        // end snippet

        await TransferAsync(context, from: 1, to: 2, amount: 10);
        faults.AssertAllHit();
        Assert.AreEqual((90L, 110L), await shop.BalancesAsync());
        Assert.HasCount(7, faults.Injected);
    }

    [TestMethod]
    public async Task Applications_are_tested_as_they_are()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;
        var services = new ServiceCollection();
        services.AddDbContext<ShopContext>(options => options.UseNpgsql(connectionString).UseDbRetry());

        // snippet: application
        var faults = new DbRetryFaults();
        services.ConfigureDbContext<ShopContext>(options => options.UseDbRetryFaults(faults));
        // end snippet

        await using var provider = services.BuildServiceProvider();
        await using var scope = provider.CreateAsyncScope();
        faults.DemotePrimary();
        await TransferAsync(scope.ServiceProvider.GetRequiredService<ShopContext>(), from: 1, to: 2, amount: 10);
        faults.AssertAllHit();
        Assert.AreEqual((90L, 110L), await shop.BalancesAsync());
    }

    [TestMethod]
    public async Task All_units_fail_once()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        await using var context = shop.Context(faults: faults);

        // snippet: every unit
        faults.InEveryUnit().CommitThenLoseAcknowledgement();
        faults.In(context).DemotePrimary();
        // end snippet

        for (var i = 0; i < 3; i++)
        {
            await TransferAsync(context, from: 1, to: 2, amount: 10);
        }

        faults.AssertAllHit();
        Assert.HasCount(4, faults.Injected);
        Assert.AreEqual((70L, 130L), await shop.BalancesAsync());
    }

    [TestMethod]
    public async Task What_callers_see_when_nothing_helps()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        await using var context = shop.Context(faults: faults);

        // snippet: nothing helps
        faults.CommitThenLoseAcknowledgement();
        using (context.Database.WithRetry(o => o.CommitVerification = CommitVerification.Surface))
        {
            await Assert.ThrowsExactlyAsync<CommitOutcomeUnknownException>(() => TransferAsync(context, from: 1, to: 2, amount: 10));
        }

        faults.Conflict(times: 1 + new DbRetryOptions().MaxRetryCount);
        await Assert.ThrowsAsync<RetryLimitExceededException>(() => TransferAsync(context, from: 1, to: 2, amount: 10));
        // end snippet

        faults.AssertAllHit();
        Assert.AreEqual((90L, 110L), await shop.BalancesAsync());
    }

    [TestMethod]
    public async Task A_unit_that_guesses_is_found_out()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;
        var faults = new DbRetryFaults();

        // snippet: defect
        await using var context = new ShopContext(new DbContextOptionsBuilder<ShopContext>()
            .UseNpgsql(connectionString, npgsql => npgsql.EnableRetryOnFailure())
            .UseDbRetryFaults(faults)
            .Options);

        faults.CommitThenLoseAcknowledgement();
        await context.Accounts
            .Where(a => a.Id == 1)
            .ExecuteUpdateAsync(setters => setters.SetProperty(a => a.Balance, a => a.Balance - 10));

        Assert.AreEqual(80, await BalanceAsync(1)); // twice
        // end snippet

        faults.AssertAllHit();
        Task<long> BalanceAsync(int id) => shop.BalanceAsync(id);
    }

    private static Task TransferAsync(ShopContext context, int from, int to, long amount)
        => context.Database.ExecuteInTransactionScopeAsync(
            async token =>
            {
                (await context.Accounts.SingleAsync(a => a.Id == from, token)).Balance -= amount;
                (await context.Accounts.SingleAsync(a => a.Id == to, token)).Balance += amount;
                await context.SaveChangesAsync(token);
            },
            IsolationLevel.Serializable);
}
