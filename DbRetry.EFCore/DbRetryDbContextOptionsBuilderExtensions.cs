using DbRetry.EFCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Turns DbRetry on for a context.</summary>
public static class DbRetryDbContextOptionsBuilderExtensions
{
    /// <summary>
    /// Makes the context survive lost connections, serialization conflicts and failovers of its PostgreSQL cluster.
    /// Call it beside <c>UseNpgsql</c>, before or after; a second call changes what the first one set.
    /// </summary>
    /// <param name="optionsBuilder">The builder that configures the context.</param>
    /// <param name="configure">Changes the defaults of <see cref="DbRetryOptions"/>.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">An environment variable that gives a default holds no valid value.</exception>
    public static DbContextOptionsBuilder UseDbRetry(this DbContextOptionsBuilder optionsBuilder, Action<DbRetryOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(optionsBuilder);

        var extension = optionsBuilder.Options.FindExtension<DbRetryOptionsExtension>() ?? DbRetryOptionsExtension.Default;
        ((IDbContextOptionsBuilderInfrastructure)optionsBuilder).AddOrUpdateExtension(extension.With(configure));
        return optionsBuilder;
    }

    /// <inheritdoc cref="UseDbRetry(DbContextOptionsBuilder, Action{DbRetryOptions}?)"/>
    /// <typeparam name="TContext">The type of the context.</typeparam>
    public static DbContextOptionsBuilder<TContext> UseDbRetry<TContext>(
        this DbContextOptionsBuilder<TContext> optionsBuilder, Action<DbRetryOptions>? configure = null)
        where TContext : DbContext
        => (DbContextOptionsBuilder<TContext>)UseDbRetry((DbContextOptionsBuilder)optionsBuilder, configure);
}
