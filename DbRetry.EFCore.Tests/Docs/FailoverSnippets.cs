using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace DbRetry.EFCore.Tests.Docs;

[TestClass]
public sealed class FailoverSnippets
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task Reports_may_read_from_a_standby()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;
        var services = new ServiceCollection();

        // snippet: standby
        services.AddDbContext<ShopContext>(options => options
            .UseNpgsql(connectionString)
            .UseDbRetry(o => o.TargetSession = TargetSession.PreferStandby));
        // end snippet

        await using var provider = services.BuildServiceProvider();
        await using var scope = provider.CreateAsyncScope();
        Assert.HasCount(2, await scope.ServiceProvider.GetRequiredService<ShopContext>().Accounts.ToListAsync(Cancellation));
    }

    [TestMethod]
    public async Task A_caller_that_can_come_again_need_not_wait_for_the_failover()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = "Host=127.0.0.1:1,127.0.0.1:2;Username=nobody;Database=none";
        var optionsBuilder = new DbContextOptionsBuilder<ShopContext>();
        string? answer = null;

        // snippet: no host
        optionsBuilder.UseNpgsql(connectionString).UseDbRetry(o => o.FailoverTimeout = TimeSpan.FromSeconds(1));
        await using var context = new ShopContext(optionsBuilder.Options);
        try
        {
            await context.Accounts.LoadAsync();
        }
        catch (RetryLimitExceededException exception) when (exception.InnerException is NoSuitableHostException none)
        {
            answer = string.Join("; ", none.Hosts.Select(host => $"{host.Host}: {host.Reason}"));
        }
        // end snippet

        StringAssert.StartsWith(answer, "127.0.0.1:");
        context.Database.SetConnectionString(shop.ConnectionString);
        Assert.HasCount(2, await context.Accounts.ToListAsync(Cancellation));
    }
}
