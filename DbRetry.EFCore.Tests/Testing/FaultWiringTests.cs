using DbRetry.EFCore.Testing;
using DbRetry.EFCore.Tests.Retry;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace DbRetry.EFCore.Tests.Testing;

/// <summary>How faults get into the contexts of an application.</summary>
[TestClass]
public sealed class FaultWiringTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow("AddDbContext")]
    [DataRow("AddDbContextPool")]
    [DataRow("ConfigureDbContext")]
    public async Task Contexts_of_an_application_are_hit_that_it_configured_itself(string how)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        var services = new ServiceCollection();
        void Configure(DbContextOptionsBuilder options) => options.UseNpgsql(bed.ConnectionString).UseDbRetry(RetryBed.Quick);
        _ = how switch
        {
            "AddDbContext" => services.AddDbContext<CounterContext>(options => { Configure(options); options.UseDbRetryFaults(faults); }),
            "AddDbContextPool" => services.AddDbContextPool<CounterContext>(options => { Configure(options); options.UseDbRetryFaults(faults); }),
            _ => services.AddDbContext<CounterContext>(Configure).ConfigureDbContext<CounterContext>(options => options.UseDbRetryFaults(faults)),
        };
        await using var provider = services.BuildServiceProvider();

        for (var request = 1; request <= 2; request++)
        {
            faults.LoseConnectionBefore(statement: 2);
            await using var scope = provider.CreateAsyncScope();
            var context = scope.ServiceProvider.GetRequiredService<CounterContext>();
            await context.Database.ExecuteInTransactionScopeAsync(
                async _ =>
                {
                    await context.IncrementAsync(async: true);
                    await context.IncrementAsync(async: true);
                },
                cancellationToken: Cancellation);

            faults.AssertAllHit();
            Assert.AreEqual(2L * request, (await bed.AppliedAsync()).Counter);
        }
    }

    [TestMethod]
    public async Task A_second_call_replaces_the_first_and_does_not_double_it()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var first = new DbRetryFaults();
        var second = new DbRetryFaults();
        first.Conflict();
        second.Conflict(times: 2);
        await using var context = bed.Context(more: builder => builder.UseDbRetryFaults(first).UseDbRetryFaults(second));

        await context.IncrementAsync(async: true);

        Assert.IsEmpty(first.Injected);
        second.AssertAllHit();
        Assert.AreEqual(1L, (await bed.AppliedAsync()).Counter);
    }

    [TestMethod]
    public async Task Contexts_without_it_are_left_alone()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        faults.LoseConnectionBefore();
        await using (bed.Context(more: builder => builder.UseDbRetryFaults(faults)))
        {
            await using var other = bed.Context(options => options.MaxRetryCount = 0);
            await other.IncrementAsync(async: true);
        }

        Assert.ThrowsExactly<InvalidOperationException>(faults.AssertAllHit);
    }

    [TestMethod]
    public async Task Many_contexts_share_one_plan_and_each_applies_its_work_once()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var faults = new DbRetryFaults();
        faults.CommitThenLoseAcknowledgement(times: 3);
        faults.LoseConnectionBeforeCommit(times: 3);

        await Task.WhenAll(Enumerable.Range(0, 6).Select(async _ =>
        {
            await using var context = bed.Context(options => options.MaxRetryCount = 10, builder => builder.UseDbRetryFaults(faults));
            await context.IncrementAsync(async: true);
        }));

        faults.AssertAllHit();
        Assert.AreEqual(6L, (await bed.AppliedAsync()).Counter);
    }

    [TestMethod]
    public void Both_overloads_give_their_builder_back()
    {
        var typed = new DbContextOptionsBuilder<CounterContext>();
        DbContextOptionsBuilder<CounterContext> same = typed.UseDbRetryFaults(new DbRetryFaults());
        Assert.AreSame(typed, same);

        Assert.ThrowsExactly<ArgumentNullException>(() => ((DbContextOptionsBuilder)null!).UseDbRetryFaults(new DbRetryFaults()));
        Assert.ThrowsExactly<ArgumentNullException>(() => typed.UseDbRetryFaults(null!));
    }
}
