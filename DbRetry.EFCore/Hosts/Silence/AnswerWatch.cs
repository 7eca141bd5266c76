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
}
