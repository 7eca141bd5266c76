using System.Diagnostics.CodeAnalysis;
using DbRetry.EFCore;
using DbRetry.EFCore.HealthChecks;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Health checks of the cluster behind a context.</summary>
public static class DbRetryHealthChecksBuilderExtensions
{
    /// <summary>
    /// Adds a check that asks every host of the context's cluster, over connections of its own, what it is: healthy when all answer and one can serve the
    /// context, degraded when one does not answer or was replaced as the primary and does not know it, unhealthy when none can serve it. The
    /// result names the role of each host, the timeline and the latest failover.
    /// </summary>
    /// <typeparam name="TContext">A context that is registered with the application and calls <c>UseDbRetry</c>.</typeparam>
    /// <param name="builder">The builder of the health checks.</param>
    /// <param name="name">The name of the check; by default that of the context.</param>
    /// <param name="failureStatus">What is reported when no host can serve the context; unhealthy by default.</param>
    /// <param name="tags">Tags to filter checks by.</param>
    /// <param name="timeout">How long a host may take to answer; <see cref="DbRetryOptions.HostTimeout"/> by default. It is not waited longer than that.</param>
    /// <returns>The same builder.</returns>
    public static IHealthChecksBuilder AddDbRetryHealthCheck<[DynamicallyAccessedMembers(ContextMembers.All)] TContext>(
        this IHealthChecksBuilder builder,
        string? name = null,
        HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null,
        TimeSpan? timeout = null)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(
            name ?? typeof(TContext).Name, services => new DbRetryHealthCheck<TContext>(services, timeout), failureStatus, tags));
    }
}
