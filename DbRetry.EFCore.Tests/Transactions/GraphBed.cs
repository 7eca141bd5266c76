using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Transactions;

/// <summary>A database for <see cref="GraphContext"/> behind a proxy that can fail.</summary>
internal sealed class GraphBed : IAsyncDisposable
{
    private readonly TestDatabase _database;
    private readonly DbContextOptions<GraphContext> _options;

    private GraphBed(TestDatabase database)
    {
        _database = database;
        Proxy = FaultProxy.Start(database.ConnectionString);
        _options = new DbContextOptionsBuilder<GraphContext>()
            .UseNpgsql($"{Proxy.Through(database.ConnectionString)};Pooling=false")
            .UseDbRetry(RetryBed.Quick).Options;
    }

    public FaultProxy Proxy { get; }

    public static async Task<GraphBed> CreateAsync(CancellationToken cancellationToken)
    {
        var bed = new GraphBed(await TestDatabase.CreateAsync(cancellationToken));
        await using var context = bed.Context();
        await context.Database.EnsureCreatedAsync(cancellationToken);
        return bed;
    }

    /// <summary>Leaves nothing but a customer who was there before.</summary>
    public async Task ResetAsync(CancellationToken cancellationToken)
    {
        Proxy.Arm();
        await ExecuteAsync("truncate \"Customers\", \"Tags\", \"Devices\" restart identity cascade");
        await using var context = Context();
        context.Add(Customer("old"));
        await context.SaveChangesAsync(cancellationToken);
    }

    public GraphContext Context() => new(_options);

    public Task<T?> ScalarAsync<T>(string sql) => _database.ScalarAsync<T>(sql);

    public Task ExecuteAsync(string sql) => _database.ExecuteAsync(sql);

    /// <summary>With two orders, three lines and a device.</summary>
    public static GraphContext.Customer Customer(string name)
        => new()
        {
            Name = name,
            Home = new() { City = $"city of {name}" },
            Contact = new() { Mail = $"mail of {name}" },
            Look = new() { Color = "red", Words = ["one", "two"], Entries = [new() { Text = "first" }] },
            Device = new() { Model = $"device of {name}" },
            Orders =
            {
                new()
                {
                    Text = $"{name} 1",
                    Lines = { new() { Product = "a", Quantity = 1 }, new() { Product = "b", Quantity = 2 } },
                    Tags = { new() { Name = $"{name} tag" } },
                },
                new() { Text = $"{name} 2", Lines = { new() { Product = "c", Quantity = 3 } } },
            },
        };

    public async ValueTask DisposeAsync()
    {
        await Proxy.DisposeAsync();
        await _database.DisposeAsync();
    }
}
