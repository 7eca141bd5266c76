using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Retry.Reporting;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace DbRetry.EFCore.Hosts.Status;

/// <summary>Asks all hosts of a cluster at once what they are.</summary>
internal sealed class ClusterSurvey(
    HostRoute route, NpgsqlConnection connection, RetrySettings settings, TimeSpan limit, EventReporter reporter, TimeProvider time)
{
    internal static ClusterSurvey Of(DatabaseFacade database, RetrySettings settings, TimeSpan limit)
    {
        var services = ((IInfrastructure<IServiceProvider>)database).Instance;
        var connection = (NpgsqlConnection)services.GetRequiredService<IRelationalConnection>().DbConnection;
        var route = services.GetRequiredService<HostConnectionInterceptor>().CurrentRoute ?? new CallersRoute(connection);
        return new(route, connection, settings, limit, services.GetRequiredService<EventReporter>(), services.GetRequiredService<TimeProvider>());
    }

    internal async Task<ClusterStatus> TakeAsync(CancellationToken cancellationToken)
    {
        var hosts = await Task.WhenAll(Enumerable.Range(0, route.Cluster.Hosts.Length).Select(host => AskAsync(host, cancellationToken)))
            .ConfigureAwait(false);
        reporter.Tell(route.Cluster);
        return new(
            route.Target,
            hosts,
            hosts.Any(host => host.Role is { } role && route.Target.Match(role) is not TargetSessionMatch.Unfit),
            route.Cluster.News.LatestFailover?.Event);
    }

    private async Task<HostStatus> AskAsync(int host, CancellationToken cancellationToken)
    {
        var name = route.NameOf(host);

        // A driver that does not come back is left to its own limits; nobody waits for it.
        var asking = Task.Run(() => ConnectAsync(host, cancellationToken), cancellationToken);
        _ = asking.ContinueWith(static failed => _ = failed.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        try
        {
            var sighting = await asking.WaitAsync(limit, time, cancellationToken).ConfigureAwait(false);
            return new(name, route.Cluster.Saw(host, sighting), sighting.Timeline?.Timeline, null);
        }
        catch (TimeoutException) when (!asking.IsCompleted)
        {
            return new(name, null, null, $"it did not answer within {limit.TotalSeconds:0.###} s");
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            return new(name, null, null, FailureClassifier.ClassifyProbe(exception, settings.Rules).Reason);
        }
    }

    private async Task<HostSighting> ConnectAsync(int host, CancellationToken cancellationToken)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(limit);

        // Only with a target that wants to know is a primary asked for its timeline.
        return route.CanProbe && await route.ProbeAsync(host, TargetSession.ReadWrite, limit, limited.Token).ConfigureAwait(false) is { } sighting
            ? sighting
            : await ConnectAsTheContextDoesAsync(host, limited.Token).ConfigureAwait(false);
    }

    // A clone has the data source, password and callbacks of the context's connection.
    private async Task<HostSighting> ConnectAsTheContextDoesAsync(int host, CancellationToken cancellationToken)
    {
        var own = (NpgsqlConnection)((ICloneable)connection).Clone();
        await using (own.ConfigureAwait(false))
        {
            route.Bind(own, host);
            await own.OpenAsync(cancellationToken).ConfigureAwait(false);
            return await HostRoles.AskAsync(own, limit, CancellationToken.None).ConfigureAwait(false);
        }
    }
}
