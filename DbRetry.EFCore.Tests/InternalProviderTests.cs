using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace DbRetry.EFCore.Tests;

[TestClass]
public class InternalProviderTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_order_of_the_services_does_not_matter(bool before)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var services = new ServiceCollection();
        _ = before
            ? services.AddEntityFrameworkDbRetry().AddEntityFrameworkNpgsql()
            : services.AddEntityFrameworkNpgsql().AddEntityFrameworkDbRetry();
        await using var provider = services.BuildServiceProvider(new ServiceProviderOptions { ValidateScopes = true, ValidateOnBuild = true });
        await using var context = bed.Context(null, builder => builder.UseInternalServiceProvider(provider));
        bed.Proxy.Arm(FaultPoint.AtSql("UPDATE", FaultMoment.BeforeForward, FaultAction.Reset));

        await context.IncrementAsync(async: true);

        Assert.AreEqual(1, bed.Proxy.FaultsFired);
        Assert.AreEqual((1L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    public void Adding_the_services_twice_changes_nothing()
    {
        var once = new ServiceCollection().AddEntityFrameworkNpgsql().AddEntityFrameworkDbRetry();
        var count = once.Count;
        Assert.AreEqual(count, once.AddEntityFrameworkDbRetry().Count);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_context_that_did_not_ask_for_it_behaves_as_without_it(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var provider = new ServiceCollection().AddEntityFrameworkNpgsql().AddEntityFrameworkDbRetry().BuildServiceProvider();
        await using var stock = new CounterContext(new DbContextOptionsBuilder<CounterContext>()
            .UseNpgsql(bed.ConnectionString)
            .UseInternalServiceProvider(provider)
            .Options);

        Assert.IsNull(stock.GetService<ContextSettings>().Settings);
        Assert.IsFalse(stock.Database.CreateExecutionStrategy().RetriesOnFailure);
        Assert.IsTrue(async ? await stock.Database.CanConnectAsync(Cancellation) : stock.Database.CanConnect());
        await stock.SqlAsync(async, "update counters set n = n + 1");
        await using (var transaction = await stock.BeginAsync(async))
        {
            Assert.IsNotInstanceOfType<DbRetryTransaction>(transaction);
            stock.Items.Add(new() { Name = "saved" });
            await stock.SaveAsync(async);
            await transaction.CommitAsync(async);
        }

        Assert.AreEqual((1L, 1L), await bed.AppliedAsync());
        await MigrateAsync(stock, async);

        bed.Proxy.Arm(FaultPoint.AtSql("counters", FaultMoment.BeforeForward, FaultAction.Reset));
        var failure = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => stock.Counters.CountAsync(async));
        Assert.IsInstanceOfType<NpgsqlException>(failure.InnerException, "the provider wraps what it calls transient");
        Assert.AreEqual(1, bed.Proxy.Messages.Count(message => message.IsSql("counters")));
    }

    [TestMethod]
    public async Task The_application_may_give_the_clock_and_the_chance()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var time = new ManualTime { SkipsWaits = true };
        await using var provider = time.Services();
        await using var context = bed.Context(options => options.ConflictDelay = TimeSpan.FromMilliseconds(8), builder => builder.UseInternalServiceProvider(provider));
        var attempts = 0;

        await context.Database.CreateExecutionStrategy().RunAsync(async: true, async () =>
        {
            if (++attempts <= 3)
            {
                await context.FailAsync(async: true, "40001");
            }
        });

        // The last one is before the unit's last chance, and is counted from when the first conflict was lost.
        CollectionAssert.AreEqual(
            new[] { 4.0, 8, 96 - 8 - 4 }, time.Waits.Where(wait => wait > TimeSpan.Zero).Select(wait => wait.TotalMilliseconds).ToArray());
    }

    private static async Task MigrateAsync(CounterContext context, bool async)
    {
        var migrator = context.GetService<IMigrator>();
        if (async)
        {
            await migrator.MigrateAsync();
        }
        else
        {
            migrator.Migrate();
        }

        Assert.IsFalse(string.IsNullOrEmpty(migrator.GenerateScript()) && migrator.HasPendingModelChanges());
    }
}
