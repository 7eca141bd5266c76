using DbRetry.EFCore;
using DbRetry.EFCore.Configuration;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the options that <c>UseDbRetry</c> starts from.</summary>
public static class DbRetryOptionsServiceCollectionExtensions
{
    /// <summary>
    /// Gives every context that calls <c>UseDbRetry()</c> the options of a section, such as <c>configuration.GetSection("DbRetry")</c>. What a context sets
    /// itself wins.
    /// </summary>
    /// <remarks>
    /// They are checked when the host starts; each error names its key. A key that is no option is an error. When the section changes, contexts
    /// whose options are built afterwards get the new values, and a change that is not valid is logged and not used.
    /// </remarks>
    /// <param name="services">The services of the application.</param>
    /// <param name="section">The section with the options.</param>
    /// <returns>A builder with which the options can be configured further.</returns>
    public static OptionsBuilder<DbRetryOptions> AddDbRetry(this IServiceCollection services, IConfiguration section)
        => AddDbRetry(services, Options.Options.DefaultName, section);

    /// <summary>Gives every context that calls <c>UseDbRetry()</c> these options. What a context sets itself wins.</summary>
    /// <param name="services">The services of the application.</param>
    /// <param name="configure">Changes the defaults.</param>
    /// <returns>A builder with which the options can be configured further.</returns>
    public static OptionsBuilder<DbRetryOptions> AddDbRetry(this IServiceCollection services, Action<DbRetryOptions>? configure = null)
        => Add(services, Options.Options.DefaultName, path: null).Configure(configure ?? (static _ => { }));

    /// <summary>Gives the contexts that call <c>UseDbRetry(name)</c> the options of a section.</summary>
    /// <inheritdoc cref="AddDbRetry(IServiceCollection, IConfiguration)" path="/remarks"/>
    /// <param name="services">The services of the application.</param>
    /// <param name="name">The name of the cluster, or of whatever has options of its own.</param>
    /// <param name="section">The section with the options.</param>
    /// <returns>A builder with which the options can be configured further.</returns>
    public static OptionsBuilder<DbRetryOptions> AddDbRetry(this IServiceCollection services, string name, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        var builder = Add(services, name, (section as IConfigurationSection)?.Path);
        var configured = new ConfiguredSection(name, section);
        services.AddSingleton<IConfigureOptions<DbRetryOptions>>(configured);
        services.AddSingleton<IOptionsChangeTokenSource<DbRetryOptions>>(configured);
        return builder;
    }

    /// <summary>Gives the contexts that call <c>UseDbRetry(name)</c> these options.</summary>
    /// <param name="services">The services of the application.</param>
    /// <param name="name">The name of the cluster, or of whatever has options of its own.</param>
    /// <param name="configure">Changes the defaults.</param>
    /// <returns>A builder with which the options can be configured further.</returns>
    public static OptionsBuilder<DbRetryOptions> AddDbRetry(this IServiceCollection services, string name, Action<DbRetryOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Add(services, name, path: null).Configure(configure);
    }

    private static OptionsBuilder<DbRetryOptions> Add(IServiceCollection services, string name, string? path)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(name);
        services.AddSingleton(new ConfiguredCluster(name, path));
        services.TryAddSingleton<ConfiguredOptions>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<DbRetryOptions>, OptionsCheck>());
        return services.AddOptions<DbRetryOptions>(name).ValidateOnStart();
    }
}
