using DbRetry.EFCore.Retry;
using Npgsql;

namespace DbRetry.EFCore.Hosts.Silence;

/// <summary>Tells the watch of the cluster what one context sends and that it was answered.</summary>
internal sealed class AnswerWatch(ContextSettings context, AttemptLog log, TimeProvider time, Random random)
{
    private WatchedConnection? _watched;

    /// <summary>A command, or COMMIT, is about to be sent.</summary>
    internal void Sent(NpgsqlConnection connection)
    {
        if (log.Host is { Route.CanProbe: true } host && context.Settings is { AbandonSilentHosts: true } settings)
        {
            _watched ??= new WatchedConnection(settings, random);
            _watched.Sent(connection, host, time.GetTimestamp());
            host.Route.Cluster.Watch.Add(_watched, time);
        }
    }

    /// <summary>The host has answered: it is alive.</summary>
    internal void Answered()
    {
        if (log.Host is { Route.CanProbe: true } host)
        {
            host.Route.Cluster.Watch.Answered(host.Index, time);
        }
    }

    /// <summary>
    /// The primary ended the session, so another one may have taken its place. It is looked for while the error makes its way up to whoever retries, which
    /// takes a first error of a process as long as a probe.
    /// </summary>
    internal void Ended()
    {
        if (log is { IsRunning: true, Host: { Route: { CanProbe: true, Cluster: { Hosts.Length: > 1 } cluster } route } host }
            && cluster.Primary == host.Index
            && context.Settings is { MaxRetryCount: > 0 } settings)
        {
            host.Distrust();
            log.IsHostDistrusted = true;
            _ = DetachedWork.Begin(() => cluster.Prober.LookAheadAsync(route, settings, time, random));
        }
    }
}
