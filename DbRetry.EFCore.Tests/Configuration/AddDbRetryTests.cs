using DbRetry.EFCore.Tests.Diagnostics;
using DbRetry.EFCore.Tests.Retry;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace DbRetry.EFCore.Tests.Configuration;

[TestClass]
public sealed class AddDbRetryTests
{
    private const string Nowhere = "Host=127.0.0.1;Port=1;Username=nobody;Database=none";

    private readonly CollectedLog _log = new();

    private static readonly string[] Registrations = ["AddDbContext", "AddDbContextPool", "AddDbContextFactory", "AddPooledDbContextFactory"];

    private static IEnumerable<object[]> Forms => Registrations.Select(form => new object[] { form });

    [TestMethod]
    [DynamicData(nameof(Forms))]
    public void A_context_starts_from_the_configured_options_and_what_it_sets_itself_wins(string form)
    {
        var configuration = Configuration(("DbRetry:MaxRetryCount", "7"), ("DbRetry:RetryBudget", "70"));
        using var provider = Provider(
            form, services => services.AddDbRetry(configuration.GetSection("DbRetry")), builder => builder.UseDbRetry(options => options.RetryBudget = 71));

        Assert.AreEqual((7, 71), Settings(provider, form));
    }

    [TestMethod]
    public void A_delegate_and_the_builder_that_comes_back_configure_them_too()
    {
        using var provider = Provider(
            "AddDbContext",
            services => services.AddDbRetry(options => options.MaxRetryCount = 7).Configure(options => options.RetryBudget = options.MaxRetryCount * 10),
            builder => builder.UseDbRetry());

        Assert.AreEqual((7, 70), Settings(provider, "AddDbContext"));
    }

    [TestMethod]
    public void Clusters_have_options_by_name()
    {
        var configuration = Configuration(("DbRetry:MaxRetryCount", "7"), ("Reporting:MaxRetryCount", "8"));
        foreach (var (name, retries) in new[] { (string.Empty, 7), ("reporting", 8), ("batch", 9) })
        {
            using var provider = Provider(
                "AddDbContext",
                services =>
                {
                    services.AddDbRetry(configuration.GetSection("DbRetry"));
                    services.AddDbRetry("reporting", configuration.GetSection("Reporting"));
                    services.AddDbRetry("batch", options => options.MaxRetryCount = 9);
                },
                builder => _ = name.Length == 0 ? builder.UseDbRetry() : builder.UseDbRetry(name).UseDbRetry(options => options.RetryBudget = 5));
            Assert.AreEqual(retries, Settings(provider, "AddDbContext").MaxRetryCount);
        }
    }

    [TestMethod]
    public void A_name_that_nobody_registered_is_an_error_that_lists_those_that_are()
    {
        using var provider = Provider(
            "AddDbContext", services => services.AddDbRetry("reporting", _ => { }), builder => builder.UseDbRetry("report"));
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Settings(provider, "AddDbContext"));
        Assert.Contains("services.AddDbRetry(\"report\", …)", error.Message);
        Assert.Contains("use one of: \"reporting\"", error.Message);

        error = Assert.ThrowsExactly<InvalidOperationException>(() => new DbContextOptionsBuilder().UseNpgsql(Nowhere).UseDbRetry("reporting"));
        Assert.Contains("does not know the services of the application", error.Message);
    }

    [TestMethod]
    public void Without_options_of_the_application_the_defaults_hold()
    {
        using var named = Provider("AddDbContext", services => services.AddDbRetry("reporting", options => options.MaxRetryCount = 9), builder => builder.UseDbRetry());
        Assert.AreEqual(new DbRetryOptions().MaxRetryCount, Settings(named, "AddDbContext").MaxRetryCount);
    }

    [TestMethod]
    public void Options_of_the_application_are_not_changed_by_a_context()
    {
        using var provider = Provider(
            "AddDbContext",
            services => services.AddDbRetry(options => options.RetriableSqlStates.Add("55P03")),
            builder => builder.UseDbRetry(options => options.RetriableSqlStates.Add("55006")));
        _ = Settings(provider, "AddDbContext");

        var shared = provider.GetRequiredService<IOptionsMonitor<DbRetryOptions>>().CurrentValue;
        CollectionAssert.AreEqual(new[] { "55P03" }, shared.RetriableSqlStates.ToArray());
    }

    [TestMethod]
    [DataRow("DbRetry:FailoverTimeout", "00:00:00", "DbRetry:FailoverTimeout is 00:00:00; it must be between")]
    [DataRow("DbRetry:FailoverTimeout", "soon", "DbRetry:FailoverTimeout is 'soon'; it must be a time")]
    [DataRow("DbRetry:MaxRetries", "5", "DbRetry:MaxRetries is no option of DbRetry")]
    public void A_mistake_in_the_configuration_fails_the_start_and_names_its_key(string key, string value, string message)
    {
        using var provider = new ServiceCollection().AddDbRetry(Configuration((key, value)).GetSection("DbRetry")).Services.BuildServiceProvider();

        var error = Assert.ThrowsExactly<OptionsValidationException>(() => provider.GetRequiredService<IStartupValidator>().Validate());

        Assert.StartsWith(message, error.Message);
        Assert.DoesNotContain("Parameter", error.Message);
    }

    [TestMethod]
    public void A_mistake_in_code_names_the_cluster_and_the_option()
    {
        using var provider = new ServiceCollection().AddDbRetry("reporting", options => options.RetryBudget = -1).Services.BuildServiceProvider();

        var error = Assert.ThrowsExactly<OptionsValidationException>(() => provider.GetRequiredService<IStartupValidator>().Validate());

        Assert.StartsWith("DbRetry 'reporting': RetryBudget is -1", error.Message);
    }

    [TestMethod]
    public void Environment_variables_configure_them_as_everything_else()
    {
        const string variable = "DbRetryTest__DbRetry__MaxRetryCount";
        Environment.SetEnvironmentVariable(variable, "12");
        try
        {
            var configuration = new ConfigurationBuilder().AddEnvironmentVariables("DbRetryTest__").Build();
            using var provider = Provider("AddDbContext", services => services.AddDbRetry(configuration.GetSection("DbRetry")), builder => builder.UseDbRetry());
            Assert.AreEqual(12, Settings(provider, "AddDbContext").MaxRetryCount);
        }
        finally
        {
            Environment.SetEnvironmentVariable(variable, null);
        }
    }

    [TestMethod]
    [DataRow("AddDbContext", true)]
    [DataRow("AddDbContextFactory", true)]
    [DataRow("AddDbContextPool", false)]
    [DataRow("AddPooledDbContextFactory", false)]
    public void New_contexts_take_a_change_of_the_configuration_and_pooled_ones_keep_what_they_have(string form, bool takes)
    {
        var configuration = Configuration(("DbRetry:MaxRetryCount", "7"));
        using var provider = Provider(form, services => services.AddDbRetry(configuration.GetSection("DbRetry")), builder => builder.UseDbRetry());
        Assert.AreEqual(7, Settings(provider, form).MaxRetryCount);

        configuration["DbRetry:MaxRetryCount"] = "8";
        configuration.Reload();

        Assert.AreEqual(takes ? 8 : 7, Settings(provider, form).MaxRetryCount);
    }

    [TestMethod]
    public void A_change_that_is_not_valid_is_told_once_and_what_held_before_goes_on()
    {
        var configuration = Configuration(("DbRetry:MaxRetryCount", "7"));
        using var provider = Provider("AddDbContext", services => services.AddDbRetry(configuration.GetSection("DbRetry")), builder => builder.UseDbRetry());
        Assert.AreEqual(7, Settings(provider, "AddDbContext").MaxRetryCount);

        configuration["DbRetry:MaxRetryCount"] = "-1";
        Reload(configuration);
        Assert.AreEqual(7, Settings(provider, "AddDbContext").MaxRetryCount);
        Assert.AreEqual(7, Settings(provider, "AddDbContext").MaxRetryCount);
        Assert.Contains("DbRetry:MaxRetryCount is -1", _log.Of(DbRetryEventId.ReloadRefused).Single().Text);

        configuration["DbRetry:MaxRetryCount"] = "9";
        Reload(configuration);
        Assert.AreEqual(9, Settings(provider, "AddDbContext").MaxRetryCount);
    }

    [TestMethod]
    public void A_change_that_does_not_go_with_what_the_context_sets_itself_is_not_used()
    {
        var configuration = Configuration(("DbRetry:ConflictDelay", "00:00:00.001"));
        using var provider = Provider(
            "AddDbContextFactory",
            services => services.AddDbRetry(configuration.GetSection("DbRetry")),
            builder => builder.UseDbRetry(options => options.MaxConflictDelay = TimeSpan.FromMilliseconds(2)));
        _ = Settings(provider, "AddDbContextFactory");

        configuration["DbRetry:ConflictDelay"] = "00:00:00.005";
        Reload(configuration);

        _ = Settings(provider, "AddDbContextFactory");
        _ = Settings(provider, "AddDbContextFactory");
        Assert.Contains("MaxConflictDelay is 00:00:00.0020000", _log.Of(DbRetryEventId.ReloadRefused).Single().Text);
    }

    // Whoever reloads hears of the mistake as well (OptionsMonitor.InvokeChanged).
    private static void Reload(IConfigurationRoot configuration)
    {
        try
        {
            configuration.Reload();
        }
        catch (Exception exception) when (exception is OptionsValidationException or AggregateException)
        {
        }
    }

    private static IConfigurationRoot Configuration(params (string Key, string Value)[] values)
        => new ConfigurationBuilder().AddInMemoryCollection(values.Select(value => KeyValuePair.Create(value.Key, (string?)value.Value))).Build();

    private ServiceProvider Provider(string form, Action<IServiceCollection> add, Action<DbContextOptionsBuilder> use)
    {
        var services = new ServiceCollection().AddSingleton(_log.Factory);
        add(services);
        void Configure(DbContextOptionsBuilder builder) => use(builder.UseNpgsql(Nowhere));
        _ = form switch
        {
            "AddDbContext" => services.AddDbContext<CounterContext>(Configure),
            "AddDbContextPool" => services.AddDbContextPool<CounterContext>(Configure),
            "AddDbContextFactory" => services.AddDbContextFactory<CounterContext>(Configure),
            _ => services.AddPooledDbContextFactory<CounterContext>(Configure),
        };
        return services.BuildServiceProvider();
    }

    private static (int MaxRetryCount, int RetryBudget) Settings(ServiceProvider provider, string form)
    {
        using var scope = provider.CreateScope();
        using var context = form.EndsWith("Factory", StringComparison.Ordinal)
            ? scope.ServiceProvider.GetRequiredService<IDbContextFactory<CounterContext>>().CreateDbContext()
            : scope.ServiceProvider.GetRequiredService<CounterContext>();
        var settings = context.GetService<ContextSettings>().Settings!;
        return (settings.MaxRetryCount, settings.RetryBudget);
    }
}
