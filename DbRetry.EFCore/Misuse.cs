using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;

namespace DbRetry.EFCore;

/// <summary>Combinations that cannot work, found before the first command instead of as a strange failure later.</summary>
internal static class Misuse
{
    /// <exception cref="InvalidOperationException">The options combine <c>UseDbRetry</c> with something that it cannot work with.</exception>
    internal static void ThrowIfAny(IDbContextOptions options)
    {
        if (Find(options) is { } problem)
        {
            throw new InvalidOperationException(problem);
        }
    }

    private static string? Find(IDbContextOptions options)
    {
        if (options.Extensions.FirstOrDefault(extension => extension.Info.IsDatabaseProvider) is not { } provider)
        {
            return "UseDbRetry() was called, but no database provider is configured. Call UseNpgsql(…) on the same options builder.";
        }

        if (!IsNpgsql(provider))
        {
            return $"UseDbRetry() works with PostgreSQL through UseNpgsql(…), but this context is configured with {provider.GetType().Name}. "
                + "Remove UseDbRetry() or use the Npgsql provider.";
        }

        if (((RelationalOptionsExtension)provider).ExecutionStrategyFactory is not null)
        {
            return "UseDbRetry() and EnableRetryOnFailure() (or another ExecutionStrategy(…)) are both configured for this context. "
                + "Two retry layers multiply each other's attempts: remove EnableRetryOnFailure() from UseNpgsql(…). "
                + "Aspire turns it on by itself: call AddNpgsqlDbContext<…>(name, settings => settings.DisableRetry = true, …), or set DisableRetry in "
                + "the section Aspire:Npgsql:EntityFrameworkCore:PostgreSQL.";
        }

        if (options.FindExtension<CoreOptionsExtension>()?.InternalServiceProvider is { } internalProvider
            && internalProvider.GetService<DbRetryServices>() is null)
        {
            return "UseDbRetry() is configured together with UseInternalServiceProvider(…), but that provider lacks DbRetry's services. "
                + "Call services.AddEntityFrameworkNpgsql().AddEntityFrameworkDbRetry() when building it.";
        }

        return null;
    }

#pragma warning disable EF1001 // The extension's type is the only way to tell the Npgsql provider from another relational one.
    private static bool IsNpgsql(IDbContextOptionsExtension provider) => provider is NpgsqlOptionsExtension;
#pragma warning restore EF1001
}

/// <summary>Marks an internal service provider that has DbRetry's services.</summary>
internal sealed class DbRetryServices;
