using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace DbRetry.EFCore.Tests;

[TestClass]
public class WiringTests
{
    private const string Nowhere = "Host=127.0.0.1;Port=1;Username=nobody;Database=none";

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_order_with_UseNpgsql_does_not_matter(bool before)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        var builder = new DbContextOptionsBuilder<CounterContext>();
        _ = before
            ? builder.UseDbRetry(RetryBed.Quick).UseNpgsql(bed.ConnectionString)
            : builder.UseNpgsql(bed.ConnectionString).UseDbRetry(RetryBed.Quick);
        await using var context = new CounterContext(builder.Options);

        await SurvivesAsync(bed, context);
    }

    [TestMethod]
    public void A_second_call_changes_what_the_first_one_set_and_keeps_the_rest()
    {
        using var context = new CounterContext(new DbContextOptionsBuilder<CounterContext>()
            .UseDbRetry(options =>
            {
                options.MaxRetryCount = 7;
                options.RetryBudget = 70;
                options.RetriableSqlStates.Add("55P03");
            })
            .UseNpgsql(Nowhere)
            .UseDbRetry(options =>
            {
                options.MaxRetryCount = 8;
                options.RetriableSqlStates.Add("55006");
            })
            .UseDbRetry()
            .Options);

        var settings = Settings(context);
        Assert.AreEqual((8, 70), (settings.MaxRetryCount, settings.RetryBudget));
        CollectionAssert.AreEquivalent(new[] { "55P03", "55006" }, settings.Rules.RetriableSqlStates.ToArray());
    }

    [TestMethod]
    public void A_second_call_leaves_options_alone_that_were_built_before()
    {
        var builder = new DbContextOptionsBuilder<CounterContext>().UseNpgsql(Nowhere).UseDbRetry(options => options.MaxRetryCount = 7);
        using var earlier = new CounterContext(builder.Options);
        using var later = new CounterContext(builder.UseDbRetry(options => options.MaxRetryCount = 8).Options);

        Assert.AreEqual(7, Settings(earlier).MaxRetryCount);
        Assert.AreEqual(8, Settings(later).MaxRetryCount);
    }

    [TestMethod]
    public void Both_overloads_give_their_builder_back()
    {
        var typed = new DbContextOptionsBuilder<CounterContext>();
        DbContextOptionsBuilder<CounterContext> same = typed.UseDbRetry();
        Assert.AreSame(typed, same);

        DbContextOptionsBuilder untyped = new();
        Assert.AreSame(untyped, untyped.UseDbRetry());

        Assert.ThrowsExactly<ArgumentNullException>(() => ((DbContextOptionsBuilder)null!).UseDbRetry());
        Assert.ThrowsExactly<ArgumentNullException>(() => ((IServiceCollection)null!).AddEntityFrameworkDbRetry());
    }

    [TestMethod]
    public void A_value_out_of_range_fails_at_the_line_that_gives_it()
    {
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => new DbContextOptionsBuilder().UseDbRetry(options => options.FailoverTimeout = TimeSpan.Zero));
        Assert.AreEqual(nameof(DbRetryOptions.FailoverTimeout), error.ParamName);
    }

    [TestMethod]
    [DataRow("AddDbContext")]
    [DataRow("AddDbContextPool")]
    [DataRow("AddDbContextFactory")]
    [DataRow("AddPooledDbContextFactory")]
    public async Task Every_registration_gives_contexts_that_survive(string form)
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var provider = Register(form, builder => builder.UseNpgsql(bed.ConnectionString).UseDbRetry(RetryBed.Quick));
        for (var use = 0; use < 2; use++)
        {
            await using var scope = provider.CreateAsyncScope();
            await using var context = scope.ServiceProvider.GetService<IDbContextFactory<CounterContext>>()?.CreateDbContext()
                ?? scope.ServiceProvider.GetRequiredService<CounterContext>();
            await SurvivesAsync(bed, context);
        }
    }

    [TestMethod]
    public async Task A_pooled_context_starts_anew_after_a_use_that_failed()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var provider = Register(
            "AddPooledDbContextFactory", builder => builder.UseNpgsql(bed.ConnectionString).UseDbRetry(RetryBed.Quick));
        var factory = provider.GetRequiredService<IDbContextFactory<CounterContext>>();
        var failing = await factory.CreateDbContextAsync(Cancellation);
        var log = failing.GetService<AttemptLog>();
        await failing.BeginAsync(async: true);
        await failing.IncrementAsync(async: true);
        bed.Proxy.FailAll(FaultAction.Reset);
        await Assert.ThrowsAsync<Exception>(() => failing.IncrementAsync(async: true));
        Assert.IsTrue(log is { IsConnectionBroken: true, Host: not null });
        await failing.DisposeAsync();

        await using var again = await factory.CreateDbContextAsync(Cancellation);
        Assert.AreSame(failing, again);
        Assert.AreSame(log, again.GetService<AttemptLog>());
        Assert.IsTrue(log is { IsConnectionBroken: false, ConnectionLoss: null, Host: null, Phase: AttemptPhase.None });
        await SurvivesAsync(bed, again);
        Assert.AreEqual((0L, 0L), await bed.AppliedAsync());
    }

    [TestMethod]
    public void A_thousand_contexts_with_options_of_their_own_share_one_internal_provider()
    {
        // EF warns of many providers when it builds one more (ManyServiceProvidersCreatedWarning): where one is shared there is nothing to warn of.
        var services = new HashSet<object>();
        for (var i = 0; i < 1_000; i++)
        {
            var retries = i;
            using var context = new CounterContext(new DbContextOptionsBuilder<CounterContext>()
                .ConfigureWarnings(warnings => warnings.Ignore(CoreEventId.ManyServiceProvidersCreatedWarning))
                .UseNpgsql(Nowhere)
                .UseDbRetry(options =>
                {
                    options.MaxRetryCount = retries;
                    options.ShouldRetry = exception => exception.Message.Length == retries;
                    options.Buffering = retries % 2 == 0 ? ResultBuffering.ReadAhead : ResultBuffering.None;
                })
                .Options);
            services.Add(context.GetService<DbRetryServices>());
            Assert.AreEqual(retries, Settings(context).MaxRetryCount);
        }

        Assert.HasCount(1, services);
    }

    [TestMethod]
    public void Contexts_with_and_without_DbRetry_do_not_share_what_EF_builds_for_them()
    {
        using var with = new CounterContext(new DbContextOptionsBuilder<CounterContext>().UseNpgsql(Nowhere).UseDbRetry().Options);
        using var without = new CounterContext(new DbContextOptionsBuilder<CounterContext>().UseNpgsql(Nowhere).Options);

        Assert.IsInstanceOfType<DbRetryExecutionStrategy>(with.Database.CreateExecutionStrategy());
        Assert.IsNotInstanceOfType<DbRetryExecutionStrategy>(without.Database.CreateExecutionStrategy());
    }

    [TestMethod]
    public void EFs_log_and_debug_information_name_it()
    {
        var lines = new List<string>();
        using var context = new CounterContext(new DbContextOptionsBuilder<CounterContext>()
            .UseNpgsql(Nowhere)
            .UseDbRetry()
            .LogTo(lines.Add, [CoreEventId.ContextInitialized])
            .Options);
        _ = context.Model;
        Assert.Contains("using DbRetry", string.Concat(lines));

        var debug = new Dictionary<string, string>();
        context.GetService<IDbContextOptions>().FindExtension<DbRetryOptionsExtension>()!.Info.PopulateDebugInfo(debug);
        Assert.IsTrue(debug.ContainsKey("DbRetry"));
    }

    private static RetrySettings Settings(DbContext context) => context.GetService<ContextSettings>().Settings!;

    private static ServiceProvider Register(string form, Action<DbContextOptionsBuilder> configure)
    {
        var services = new ServiceCollection();
        _ = form switch
        {
            "AddDbContext" => services.AddDbContext<CounterContext>(configure),
            "AddDbContextPool" => services.AddDbContextPool<CounterContext>(configure),
            "AddDbContextFactory" => services.AddDbContextFactory<CounterContext>(configure),
            _ => services.AddPooledDbContextFactory<CounterContext>(configure),
        };
        return services.BuildServiceProvider();
    }

    private static async Task SurvivesAsync(RetryBed bed, CounterContext context)
    {
        bed.Proxy.Arm(FaultPoint.AtSql("counters", FaultMoment.BeforeForward, FaultAction.Reset));
        Assert.AreEqual(1, await context.Counters.CountAsync(async: true));
        Assert.AreEqual(1, bed.Proxy.FaultsFired);
    }
}
