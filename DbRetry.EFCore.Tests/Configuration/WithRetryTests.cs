using DbRetry.EFCore.Tests.Retry;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace DbRetry.EFCore.Tests.Configuration;

[TestClass]
public sealed class WithRetryTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Whatever_the_context_runs_meanwhile_is_retried_as_it_says(bool async)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var context = bed.Context(options => options.MaxRetryCount = 1);

        Assert.AreEqual(2, await AttemptsAsync(context, async));
        using (context.Database.WithRetry(options => options.MaxRetryCount = 4))
        {
            Assert.AreEqual(5, await AttemptsAsync(context, async));
            using (context.Database.WithRetry(options => options.ConflictDelay = options.MaxConflictDelay = TimeSpan.FromMilliseconds(2)))
            using (context.Database.WithRetry(options => options.MaxRetryCount /= 2))
            {
                Assert.AreEqual(3, await AttemptsAsync(context, async));
            }

            Assert.AreEqual(5, await AttemptsAsync(context, async));
        }

        Assert.AreEqual(2, await AttemptsAsync(context, async));
    }

    [TestMethod]
    public void Changes_may_end_in_any_order()
    {
        using var context = Context(options => options.MaxRetryCount = 1);
        var outer = context.Database.WithRetry(options => options.MaxRetryCount = 2);
        var inner = context.Database.WithRetry(options => options.MaxRetryCount = 3);

        outer.Dispose();
        Assert.AreEqual(3, Retries(context));
        inner.Dispose();
        Assert.AreEqual(1, Retries(context));
        inner.Dispose();
        Assert.AreEqual(1, Retries(context));
    }

    [TestMethod]
    public void A_pooled_context_starts_anew()
    {
        using var provider = new ServiceCollection()
            .AddPooledDbContextFactory<CounterContext>(builder => builder.UseNpgsql(Nowhere).UseDbRetry(options => options.MaxRetryCount = 1))
            .BuildServiceProvider();
        var factory = provider.GetRequiredService<IDbContextFactory<CounterContext>>();
        var first = factory.CreateDbContext();
        using (first)
        {
            _ = first.Database.WithRetry(options => options.MaxRetryCount = 2);
            Assert.AreEqual(2, Retries(first));
        }

        using var again = factory.CreateDbContext();
        Assert.AreSame(first, again);
        Assert.AreEqual(1, Retries(again));
    }

    [TestMethod]
    [DataRow(nameof(DbRetryOptions.TargetSession))]
    [DataRow(nameof(DbRetryOptions.HostTimeout))]
    [DataRow(nameof(DbRetryOptions.WitnessTable))]
    [DataRow(nameof(DbRetryOptions.Buffering))]
    public void What_holds_for_a_context_as_a_whole_cannot_be_changed_for_a_part(string option)
    {
        using var context = Context();

        var error = Assert.ThrowsExactly<InvalidOperationException>(() => context.Database.WithRetry(options =>
        {
            switch (option)
            {
                case nameof(DbRetryOptions.TargetSession):
                    options.TargetSession = TargetSession.Standby;
                    break;
                case nameof(DbRetryOptions.HostTimeout):
                    options.HostTimeout = TimeSpan.FromSeconds(9);
                    break;
                case nameof(DbRetryOptions.WitnessTable):
                    options.WitnessTable = "other";
                    break;
                default:
                    options.Buffering = ResultBuffering.None;
                    break;
            }
        }));

        Assert.StartsWith($"{option} holds for a context as a whole", error.Message);
    }

    [TestMethod]
    public void Mistakes_are_told_at_once()
    {
        using var context = Context(options => options.MaxRetryCount = 1);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => context.Database.WithRetry(options => options.MaxRetryCount = -1));
        Assert.AreEqual(1, Retries(context));

        using var stock = new CounterContext(new DbContextOptionsBuilder<CounterContext>().UseNpgsql(Nowhere).Options);
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => stock.Database.WithRetry(_ => { }));
        Assert.Contains("Call UseDbRetry()", error.Message);
    }

    private const string Nowhere = "Host=127.0.0.1;Port=1;Username=nobody;Database=none";

    private static CounterContext Context(Action<DbRetryOptions>? configure = null)
        => new(new DbContextOptionsBuilder<CounterContext>().UseNpgsql(Nowhere).UseDbRetry(configure).Options);

    private static int Retries(DbContext context) => context.GetService<ContextSettings>().Settings!.MaxRetryCount;

    private static async Task<int> AttemptsAsync(CounterContext context, bool async)
    {
        var attempts = 0;
        await Assert.ThrowsAsync<Exception>(() => context.Database.CreateExecutionStrategy().RunAsync(async, async () =>
        {
            attempts++;
            await context.FailAsync(async, "40001");
        }));
        return attempts;
    }
}
