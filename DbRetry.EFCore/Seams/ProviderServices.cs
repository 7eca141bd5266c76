#pragma warning disable EF1001 // This is where the provider's internals are replaced; each seam says what it leans on.
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Internal;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Storage.Internal;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Npgsql.EntityFrameworkCore.PostgreSQL.Storage.Internal;

namespace DbRetry.EFCore.Seams;

/// <summary>Puts DbRetry's forms of EF's and the provider's internal services in their place.</summary>
internal static class ProviderServices
{
    internal static IServiceCollection ReplaceProviderInternals(this IServiceCollection services)
    {
        services.Replace(ServiceDescriptor.Scoped<INpgsqlRelationalConnection, ReopenRefusingConnection>());
        services.Replace(ServiceDescriptor.Scoped<INamedConnectionStringResolver, DsnResolver>());
        services.Replace(ServiceDescriptor.Scoped<IRelationalCommandDiagnosticsLogger, AttemptCommandLogger>());
        services.Replace(ServiceDescriptor.Scoped<IRelationalConnectionDiagnosticsLogger, AttemptConnectionLogger>());
        services.Replace(ServiceDescriptor.Singleton<NpgsqlDataSourceManager, DsnDataSourceManager>());
        services.Replace(ServiceDescriptor.Singleton<IRawSqlCommandBuilder, RetryingRawSqlCommandBuilder>());
        services.Replace(ServiceDescriptor.Scoped<IRelationalDatabaseCreator, RetryingDatabaseCreator>());
        services.Replace(ServiceDescriptor.Scoped<IMigrator, RetryingMigrator>());

        // The stock executor refuses to run in an open transaction under any strategy that says it retries
        // (EFCore.Relational/Migrations/Internal/MigrationCommandExecutor.cs); ours runs once there, so it may.
        services.Replace(ServiceDescriptor.Scoped<IMigrationCommandExecutor, MigrationCommandExecutor>(
            static provider => new MigrationCommandExecutor(
                provider.GetRequiredService<IExecutionStrategyFactory>().Create() is DbRetryExecutionStrategy strategy
                    ? strategy.WithoutBuffering()
                    : provider.GetRequiredService<IExecutionStrategy>())));
        return services;
    }
}
