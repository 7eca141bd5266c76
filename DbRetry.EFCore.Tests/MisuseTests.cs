using DbRetry.EFCore.Tests.Retry;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Npgsql.EntityFrameworkCore.PostgreSQL;

namespace DbRetry.EFCore.Tests;

[TestClass]
public class MisuseTests
{
    private const string Nowhere = "Host=127.0.0.1;Port=1;Username=nobody;Database=none";

    private static readonly Dictionary<string, Action<CounterContext>> Uses = new()
    {
        ["query"] = context => context.Counters.Count(),
        ["save"] = context => Save(context),
        ["transaction"] = context => context.Database.BeginTransaction(),
        ["open"] = context => context.Database.OpenConnection(),
        ["look"] = context => context.Database.CanConnect(),
        ["sql"] = context => context.Database.ExecuteSqlRaw("select 1"),
        ["strategy"] = context => context.Database.CreateExecutionStrategy(),
        ["migrate"] = context => context.Database.Migrate(),
    };

    private static IEnumerable<object[]> UseNames => Uses.Keys.Select(name => new object[] { name });

    [TestMethod]
    [DynamicData(nameof(UseNames))]
    public void Two_retry_layers_are_an_error_at_the_first_use_whatever_it_is(string use)
    {
        // This one is fine, and EF checks its extensions only when it builds the internal provider that both share.
        using var fine = Context(builder => builder.UseNpgsql(Nowhere).UseDbRetry());
        _ = fine.Database.CreateExecutionStrategy();

        using var context = Context(builder => builder.UseNpgsql(Nowhere, npgsql => npgsql.EnableRetryOnFailure()).UseDbRetry());
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Uses[use](context));

        Assert.Contains("remove EnableRetryOnFailure() from UseNpgsql(…)", error.Message);
        Assert.Contains("settings => settings.DisableRetry = true", error.Message);
    }

    [TestMethod]
    public void Another_strategy_is_a_second_retry_layer_as_well()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() =>
        {
            using var context = Context(builder => builder
                .UseDbRetry()
                .UseNpgsql(Nowhere, npgsql => npgsql.ExecutionStrategy(dependencies => new NpgsqlRetryingExecutionStrategy(dependencies))));
            _ = context.Counters.Count();
        });
        Assert.Contains("EnableRetryOnFailure", error.Message);
    }

    [TestMethod]
    public void Without_a_provider_the_error_tells_which_one_to_use()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Context(builder => builder.UseDbRetry()));
        Assert.Contains("Call UseNpgsql(…)", error.Message);
    }

    [TestMethod]
    public void Another_provider_is_named()
    {
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Context(builder =>
        {
            ((IDbContextOptionsBuilderInfrastructure)builder).AddOrUpdateExtension(new OtherProvider());
            builder.UseDbRetry();
        }));
        Assert.Contains($"configured with {nameof(OtherProvider)}", error.Message);
    }

    [TestMethod]
    public void An_internal_provider_without_its_services_is_an_error_that_tells_how_to_add_them()
    {
        using var services = new ServiceCollection().AddEntityFrameworkNpgsql().BuildServiceProvider();
        using var fine = Context(builder => builder.UseNpgsql(Nowhere).UseInternalServiceProvider(services));
        Assert.IsNotNull(fine.Model);

        var error = Assert.ThrowsExactly<InvalidOperationException>(
            () => Context(builder => builder.UseNpgsql(Nowhere).UseDbRetry().UseInternalServiceProvider(services)));
        Assert.Contains("services.AddEntityFrameworkNpgsql().AddEntityFrameworkDbRetry()", error.Message);
    }

    [TestMethod]
    public void A_mistake_in_one_context_does_not_spoil_the_next()
    {
        Assert.ThrowsExactly<InvalidOperationException>(() =>
        {
            using var wrong = Context(builder => builder.UseNpgsql(Nowhere, npgsql => npgsql.EnableRetryOnFailure()).UseDbRetry());
            _ = wrong.Counters.Count();
        });

        using var right = Context(builder => builder.UseNpgsql(Nowhere).UseDbRetry());
        Assert.IsTrue(right.Database.CreateExecutionStrategy().RetriesOnFailure);
    }

    private static CounterContext Context(Action<DbContextOptionsBuilder> configure)
    {
        var builder = new DbContextOptionsBuilder<CounterContext>();
        configure(builder);
        return new CounterContext(builder.Options);
    }

    private static void Save(CounterContext context)
    {
        context.Items.Add(new() { Name = "never" });
        context.SaveChanges();
    }

    private sealed class OtherProvider : IDbContextOptionsExtension
    {
        public DbContextOptionsExtensionInfo Info => new ProviderInfo(this);

        public void ApplyServices(IServiceCollection services)
        {
        }

        public void Validate(IDbContextOptions options)
        {
        }

        private sealed class ProviderInfo(IDbContextOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
        {
            public override bool IsDatabaseProvider => true;

            public override string LogFragment => string.Empty;

            public override int GetServiceProviderHashCode() => 0;

            public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is ProviderInfo;

            public override void PopulateDebugInfo(IDictionary<string, string> debugInfo)
            {
            }
        }
    }
}
