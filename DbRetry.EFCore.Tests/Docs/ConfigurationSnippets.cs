using System.Threading.Channels;
using DbRetry.EFCore.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace DbRetry.EFCore.Tests.Docs;

[TestClass]
public sealed class ConfigurationSnippets
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task Options_come_from_the_configuration()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;
        var configuration = Configuration("DbRetry:MaxRetryCount", "5");
        var services = new ServiceCollection();

        // snippet: configuration
        services.AddDbRetry(configuration.GetSection("DbRetry"));
        services.AddDbContext<ShopContext>(options => options.UseNpgsql(connectionString).UseDbRetry());
        // end snippet

        await AssertServedAsync(services);
    }

    [TestMethod]
    public async Task Options_may_have_a_name()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;
        var configuration = Configuration("Reporting:MaxRetryCount", "5");
        var services = new ServiceCollection();

        // snippet: named
        services.AddDbRetry("reporting", configuration.GetSection("Reporting"));
        services.AddDbContext<ShopContext>(options => options.UseNpgsql(connectionString).UseDbRetry("reporting"));
        // end snippet

        await AssertServedAsync(services);
    }

    [TestMethod]
    public async Task Options_may_change_for_a_part_of_a_contexts_life()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        await using var context = shop.Context(faults: faults);
        context.Orders.Add(new() { RequestId = Guid.NewGuid(), Total = 4 });
        faults.Conflict(times: 6);

        // snippet: with retry
        using (context.Database.WithRetry(o => o.MaxRetryCount = 10))
        {
            await context.SaveChangesAsync();
        }
        // end snippet

        faults.AssertAllHit();
        Assert.AreEqual(1L, await shop.OrdersAsync());
    }

    [TestMethod]
    public async Task Health_is_checked()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddDbContext<ShopContext>(options => options.UseNpgsql(shop.ConnectionString).UseDbRetry());

        // snippet: health
        services.AddHealthChecks().AddDbRetryHealthCheck<ShopContext>();
        // end snippet

        await using var provider = services.BuildServiceProvider();
        var report = await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync(Cancellation);
        Assert.AreEqual(HealthStatus.Healthy, report.Status);
    }

    [TestMethod]
    public async Task Events_are_silenced_or_raised()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var options = new DbContextOptionsBuilder<ShopContext>().UseNpgsql(shop.ConnectionString).UseDbRetry();

        // snippet: events
        options.ConfigureWarnings(warnings => warnings
            .Ignore(DbRetryEventId.HostFound)
            .Log((DbRetryEventId.UnitRecovered, LogLevel.Warning)));
        // end snippet

        await using var context = new ShopContext((DbContextOptions<ShopContext>)options.Options);
        Assert.HasCount(2, await context.Accounts.ToListAsync(Cancellation));
    }

    [TestMethod]
    public async Task The_application_is_called()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;
        var chat = Channel.CreateUnbounded<string>().Writer;
        var (counts, audit) = (new List<string>(), new List<string>());
        var faults = new DbRetryFaults();
        DbContextOptionsBuilder options = new DbContextOptionsBuilder<ShopContext>();

        // snippet: callbacks
        options.UseNpgsql(connectionString).UseDbRetry(o =>
        {
            o.OnRetry = retry => counts.Add($"retry.{retry.Failure}");
            o.OnFailoverAsync = async (failover, cancellationToken) => await chat.WriteAsync($"{failover.Host} took over", cancellationToken);
            o.OnDoubtResolved = doubt => audit.Add($"{doubt.TransactionId} is {doubt.Outcome}");
        });
        // end snippet

        options.UseDbRetryFaults(faults);
        await using var context = new ShopContext((DbContextOptions<ShopContext>)options.Options);
        context.Orders.Add(new() { RequestId = Guid.NewGuid(), Total = 4 });
        faults.Conflict();
        faults.CommitThenLoseAcknowledgement();
        await context.SaveChangesAsync(Cancellation);
        Assert.HasCount(1, counts);
        Assert.HasCount(1, audit);
    }

    private static IConfiguration Configuration(string key, string value)
        => new ConfigurationBuilder().AddInMemoryCollection([new(key, value)]).Build();

    private async Task AssertServedAsync(ServiceCollection services)
    {
        await using var provider = services.BuildServiceProvider();
        await using var scope = provider.CreateAsyncScope();
        Assert.HasCount(2, await scope.ServiceProvider.GetRequiredService<ShopContext>().Accounts.ToListAsync(Cancellation));
    }
}
