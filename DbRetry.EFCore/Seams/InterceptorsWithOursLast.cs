using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Retry.Fencing;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace DbRetry.EFCore.Seams;

/// <summary>EF's interceptors, with DbRetry's behind those of the application.</summary>
/// <remarks>
/// EF puts injected interceptors before the application's (EFCore/Diagnostics/Internal/Interceptors.cs). Ours opens the connection itself,
/// and an application's interceptor that sets the connection string or a password must have had its say before.
/// </remarks>
internal sealed class InterceptorsWithOursLast(
    ContextSettings settings,
    LoneStatements loneStatements,
    AttemptRecorder recorder,
    HostConnectionInterceptor hosts,
    SessionFence fence,
    IdentityRider identityRider,
    IEnumerable<IInterceptor> injected,
    IEnumerable<IInterceptorAggregator> aggregators) : IInterceptors
{
    private IReadOnlyList<IInterceptor>? _interceptors;

    public TInterceptor? Aggregate<TInterceptor>()
        where TInterceptor : class, IInterceptor
    {
        foreach (var aggregator in aggregators)
        {
            if (aggregator.InterceptorType == typeof(TInterceptor))
            {
                return (TInterceptor?)aggregator.AggregateInterceptors(_interceptors ??= InOrder());
            }
        }

        return null;
    }

    private List<IInterceptor> InOrder()
    {
        var interceptors = new List<IInterceptor>(injected);
        if (settings.Options.FindExtension<CoreOptionsExtension>()?.Interceptors is { } fromApplication)
        {
            interceptors.AddRange(fromApplication);
        }

        if (settings.Settings is not null)
        {
            // The recorder comes behind what changes the command's transaction.
            interceptors.Add(loneStatements);
            interceptors.Add(recorder);
            interceptors.Add(hosts);
            interceptors.Add(fence);

            // Behind everybody: it changes the text, and may run the statement itself.
            interceptors.Add(identityRider);
        }

        return interceptors;
    }
}
