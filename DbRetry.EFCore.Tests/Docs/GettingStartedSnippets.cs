using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace DbRetry.EFCore.Tests.Docs;

[TestClass]
public sealed class GettingStartedSnippets
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task Options_are_set_where_it_is_turned_on()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;
        var services = new ServiceCollection();

        // snippet: options
        services.AddDbContextPool<ShopContext>(options => options
            .UseNpgsql(connectionString)
            .UseDbRetry(o =>
            {
                o.MaxRetryCount = 5;
                o.FailoverTimeout = TimeSpan.FromSeconds(30);
            }));
        // end snippet

        await using var provider = services.BuildServiceProvider();
        await using var scope = provider.CreateAsyncScope();
        Assert.HasCount(2, await scope.ServiceProvider.GetRequiredService<ShopContext>().Accounts.ToListAsync(Cancellation));
    }

    [TestMethod]
    public async Task A_data_source_keeps_its_mappings()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;
        var services = new ServiceCollection();

        // snippet: data source
        var dataSource = new NpgsqlDataSourceBuilder(connectionString).Build();
        services.AddDbContextFactory<ShopContext>(options => options.UseNpgsql(dataSource).UseDbRetry());
        // end snippet

        await using (dataSource)
        {
            await using var provider = services.BuildServiceProvider();
            await using var context = await provider.GetRequiredService<IDbContextFactory<ShopContext>>().CreateDbContextAsync(Cancellation);
            Assert.HasCount(2, await context.Accounts.ToListAsync(Cancellation));
        }
    }

    [TestMethod]
    public async Task A_provider_of_ones_own_gets_the_services()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;

        // snippet: internal provider
        var internalProvider = new ServiceCollection()
            .AddEntityFrameworkNpgsql()
            .AddEntityFrameworkDbRetry()
            .BuildServiceProvider();
        var options = new DbContextOptionsBuilder<ShopContext>()
            .UseInternalServiceProvider(internalProvider)
            .UseNpgsql(connectionString)
            .UseDbRetry()
            .Options;
        // end snippet

        await using (internalProvider)
        {
            await using var context = new ShopContext(options);
            Assert.HasCount(2, await context.Accounts.ToListAsync(Cancellation));
        }
    }

    [TestMethod]
    public async Task Retries_can_be_seen()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        var connectionString = shop.ConnectionString;
        var options = new DbContextOptionsBuilder<ShopContext>();
        var log = new List<string>();
        var faults = new EFCore.Testing.DbRetryFaults();
        options.UseDbRetryFaults(faults);
        faults.LoseConnectionBefore();
        void Log(string line) => log.Add(line);

        // snippet: log retries
        options
            .UseNpgsql(connectionString)
            .UseDbRetry()
            .LogTo(Log, (id, _) => id == CoreEventId.ExecutionStrategyRetrying);
        // end snippet

        await using var context = new ShopContext(options.Options);
        Assert.HasCount(2, await context.Accounts.ToListAsync(Cancellation));
        Assert.HasCount(1, log);
    }
}
