using System.Diagnostics.CodeAnalysis;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace DbRetry.EFCore.HealthChecks;

/// <summary>Healthy when all hosts answer and one can serve the context, degraded when one does not answer, unhealthy when none can serve it.</summary>
internal sealed class DbRetryHealthCheck<[DynamicallyAccessedMembers(ContextMembers.All)] TContext>(IServiceProvider services, TimeSpan? timeout)
    : IHealthCheck
    where TContext : DbContext
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (services.GetService<TContext>() is { } scoped)
        {
            return await CheckAsync(scoped, context, cancellationToken).ConfigureAwait(false);
        }

        var factory = services.GetService<IDbContextFactory<TContext>>()
            ?? throw new InvalidOperationException($"{typeof(TContext).Name} is not registered. Call AddDbContext, AddDbContextFactory or their like.");
        var made = await factory.CreateDbContextAsync(cancellationToken).ConfigureAwait(false);
        await using (made.ConfigureAwait(false))
        {
            return await CheckAsync(made, context, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<HealthCheckResult> CheckAsync(TContext database, HealthCheckContext context, CancellationToken cancellationToken)
        => ClusterHealth.Judge(
            await database.Database.GetClusterStatusAsync(timeout, cancellationToken).ConfigureAwait(false), context.Registration.FailureStatus);
}

/// <summary>What EF Core looks for in a context, and trimming has to leave there.</summary>
internal static class ContextMembers
{
    internal const DynamicallyAccessedMemberTypes All = DynamicallyAccessedMemberTypes.PublicConstructors
        | DynamicallyAccessedMemberTypes.NonPublicConstructors
        | DynamicallyAccessedMemberTypes.PublicProperties;
}
