using DbRetry.EFCore;
using DbRetry.EFCore.Configuration;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Turns DbRetry on for a context.</summary>
public static class DbRetryDbContextOptionsBuilderExtensions
{
    /// <summary>
    /// Makes the context survive lost connections, serialization conflicts and failovers of its PostgreSQL cluster.
    /// Call it beside <c>UseNpgsql</c>, before or after; a second call changes what the first one set.
    /// </summary>
    /// <remarks>It starts from the options of <c>services.AddDbRetry(…)</c> where there are any, else from the defaults.</remarks>
    /// <param name="optionsBuilder">The builder that configures the context.</param>
    /// <param name="configure">Changes these options for this context.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">An environment variable that gives a default holds no valid value.</exception>
    /// <exception cref="Extensions.Options.OptionsValidationException">The options of <c>services.AddDbRetry(…)</c> are not valid.</exception>
    public static DbContextOptionsBuilder UseDbRetry(this DbContextOptionsBuilder optionsBuilder, Action<DbRetryOptions>? configure = null)
        => Use(optionsBuilder, name: null, configure);

    /// <inheritdoc cref="UseDbRetry(DbContextOptionsBuilder, Action{DbRetryOptions}?)"/>
    /// <typeparam name="TContext">The type of the context.</typeparam>
    public static DbContextOptionsBuilder<TContext> UseDbRetry<TContext>(
        this DbContextOptionsBuilder<TContext> optionsBuilder, Action<DbRetryOptions>? configure = null)
        where TContext : DbContext
        => (DbContextOptionsBuilder<TContext>)Use(optionsBuilder, name: null, configure);

    /// <summary>
    /// Makes the context survive lost connections, serialization conflicts and failovers of its PostgreSQL cluster, with the options that
    /// <c>services.AddDbRetry(name, …)</c> registered. Call it beside <c>UseNpgsql</c>, before or after.
    /// </summary>
    /// <param name="optionsBuilder">The builder that configures the context.</param>
    /// <param name="name">The name that the options were registered under.</param>
    /// <param name="configure">Changes these options for this context.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">No options have that name, or the context does not know the services of the application.</exception>
    /// <exception cref="Extensions.Options.OptionsValidationException">The options are not valid.</exception>
    public static DbContextOptionsBuilder UseDbRetry(
        this DbContextOptionsBuilder optionsBuilder, string name, Action<DbRetryOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Use(optionsBuilder, name, configure);
    }

    /// <inheritdoc cref="UseDbRetry(DbContextOptionsBuilder, string, Action{DbRetryOptions}?)"/>
    /// <typeparam name="TContext">The type of the context.</typeparam>
    public static DbContextOptionsBuilder<TContext> UseDbRetry<TContext>(
        this DbContextOptionsBuilder<TContext> optionsBuilder, string name, Action<DbRetryOptions>? configure = null)
        where TContext : DbContext
        => (DbContextOptionsBuilder<TContext>)UseDbRetry((DbContextOptionsBuilder)optionsBuilder, name, configure);

    private static DbContextOptionsBuilder Use(DbContextOptionsBuilder optionsBuilder, string? name, Action<DbRetryOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(optionsBuilder);

        var extension = optionsBuilder.Options.FindExtension<DbRetryOptionsExtension>() ?? DbRetryOptionsExtension.Default;
        var services = optionsBuilder.Options.FindExtension<CoreOptionsExtension>()?.ApplicationServiceProvider;
        ((IDbContextOptionsBuilderInfrastructure)optionsBuilder).AddOrUpdateExtension(
            extension.With(configure, services?.GetService<ConfiguredOptions>(), name));
        return optionsBuilder;
    }
}
