using System.Diagnostics;
using DbRetry.EFCore;
using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Commits.Witness;
using DbRetry.EFCore.Diagnostics;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Names;
using DbRetry.EFCore.Hosts.Positions;
using DbRetry.EFCore.Hosts.Silence;
using DbRetry.EFCore.Hosts.Targets;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Retry.Contention;
using DbRetry.EFCore.Retry.Fencing;
using DbRetry.EFCore.Retry.Reporting;
using DbRetry.EFCore.Seams;
using DbRetry.EFCore.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers DbRetry's services in a service provider that an application builds for EF Core itself.</summary>
public static class DbRetryServiceCollectionExtensions
{
    /// <summary>
    /// Adds what <c>UseDbRetry</c> needs to a provider that is passed to <c>UseInternalServiceProvider</c>.
    /// Nobody else needs to call this: <c>UseDbRetry</c> does so by itself. The order with <c>AddEntityFrameworkNpgsql</c> does not matter.
    /// </summary>
    /// <param name="services">The collection to add to.</param>
    /// <returns>The same collection.</returns>
    public static IServiceCollection AddEntityFrameworkDbRetry(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);

        services.TryAddSingleton<DbRetryServices>();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(Random.Shared);
        services.TryAddSingleton<IHostNames, SystemHostNames>();
        services.TryAddSingleton<HostOpener>();
        services.TryAddSingleton<PositionReader>();
        services.TryAddSingleton<AdmissionGates>();
        services.TryAddSingleton<WitnessUpkeep>();
        services.TryAddScoped<ContextSettings>();
        services.TryAddSingleton<EventDefinitions>();
        services.TryAddScoped(EventReporter);
        services.TryAddScoped<AttemptLog>();
        services.TryAddScoped<AnswerWatch>();
        services.TryAddScoped<SessionTargets>();
        services.TryAddScoped<LaneLock>();
        services.TryAddScoped<AttemptRecorder>();
        services.TryAddScoped<TransactionReadings>();
        services.TryAddScoped<CommitGuard>();
        services.TryAddScoped<LoneStatements>();
        services.TryAddScoped<IdentityRider>();
        services.TryAddScoped<HostConnectionInterceptor>();
        services.TryAddScoped<SessionFence>();
        services.TryAddScoped<OpenScopes>();
        services.TryAddScoped<LastCommit>();
        services.TryAddEnumerable(ServiceDescriptor.Scoped<IResettableService, ContextSettings>(
            static provider => provider.GetRequiredService<ContextSettings>()));
        services.TryAddEnumerable(ServiceDescriptor.Scoped<IResettableService, AttemptLog>(
            static provider => provider.GetRequiredService<AttemptLog>()));
        services.TryAddEnumerable(ServiceDescriptor.Scoped<IResettableService, SessionTargets>(
            static provider => provider.GetRequiredService<SessionTargets>()));
        services.TryAddEnumerable(ServiceDescriptor.Scoped<IResettableService, OpenScopes>(
            static provider => provider.GetRequiredService<OpenScopes>()));

        // Replace wins whether EF adds its own before or after: EF only ever adds what is missing.
        services.Replace(ServiceDescriptor.Scoped<IExecutionStrategyFactory, DbRetryExecutionStrategyFactory>());
        services.Replace(ServiceDescriptor.Singleton<IRelationalTransactionFactory, DbRetryTransactionFactory>());
        services.Replace(ServiceDescriptor.Scoped<IDiagnosticsLogger<DbLoggerCategory.Update>, SavingLogger>());
        return services.ReplaceProviderInternals();
    }

    private static EventReporter EventReporter(IServiceProvider provider)
        => new(category => new ContextEventLogger(
            provider.GetRequiredService<ILoggerFactory>().CreateLogger(category),
            provider.GetRequiredService<EventDefinitions>(),
            provider.GetRequiredService<IDbContextLogger>(),
            provider.GetRequiredService<DiagnosticSource>()));
}
