using DbRetry.EFCore.Testing;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Lets faults happen to a context, in tests.</summary>
public static class DbRetryFaultsDbContextOptionsBuilderExtensions
{
    /// <summary>
    /// Lets what is planned in <paramref name="faults"/> happen to the context. Works with <c>UseDbRetry</c> and without it; the order of the calls does
    /// not matter, and a second call replaces the first. A provider that is passed to <c>UseInternalServiceProvider</c> is not supported.
    /// </summary>
    /// <param name="optionsBuilder">The builder that configures the context.</param>
    /// <param name="faults">The plan; several contexts may share it.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="NotSupportedException">The installed version of Npgsql does not let connections be broken.</exception>
    public static DbContextOptionsBuilder UseDbRetryFaults(this DbContextOptionsBuilder optionsBuilder, DbRetryFaults faults)
    {
        ArgumentNullException.ThrowIfNull(optionsBuilder);
        ArgumentNullException.ThrowIfNull(faults);

        ConnectionLoss.RequireSockets();
        ((IDbContextOptionsBuilderInfrastructure)optionsBuilder).AddOrUpdateExtension(new FaultsExtension(faults.Schedule));
        return optionsBuilder;
    }

    /// <inheritdoc cref="UseDbRetryFaults(DbContextOptionsBuilder, DbRetryFaults)"/>
    /// <typeparam name="TContext">The type of the context.</typeparam>
    public static DbContextOptionsBuilder<TContext> UseDbRetryFaults<TContext>(
        this DbContextOptionsBuilder<TContext> optionsBuilder, DbRetryFaults faults)
        where TContext : DbContext
        => (DbContextOptionsBuilder<TContext>)UseDbRetryFaults((DbContextOptionsBuilder)optionsBuilder, faults);
}
