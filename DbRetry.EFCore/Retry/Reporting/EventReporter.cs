using DbRetry.EFCore.Diagnostics;
using DbRetry.EFCore.Hosts;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace DbRetry.EFCore.Retry.Reporting;

/// <summary>Tells the log and the application's callbacks what happens. Makes nothing before there is something to tell.</summary>
/// <param name="loggers">Makes the logger of a category.</param>
internal sealed class EventReporter(Func<string, ILogger> loggers)
{
    private ILogger? _retry;
    private ILogger? _hosts;
    private ILogger? _commits;

    internal ILogger Retry => _retry ??= loggers(LogCategory.Retry);

    private ILogger Hosts => _hosts ??= loggers(LogCategory.Hosts);

    private ILogger Commits => _commits ??= loggers(LogCategory.Commits);

    internal static EventReporter Of(ILoggerFactory? factory) => new((factory ?? NullLoggerFactory.Instance).CreateLogger);

    internal void Retrying(RetrySettings settings, RetryUnit unit, TimeSpan delay)
    {
        var happened = Retrying(unit, delay);
        settings.Callbacks.OnRetry.Call(happened, Retry);
    }

    internal ValueTask RetryingAsync(RetrySettings settings, RetryUnit unit, TimeSpan delay, CancellationToken cancellationToken)
        => settings.Callbacks.OnRetry.CallAsync(Retrying(unit, delay), Retry, cancellationToken);

    internal void DoubtResolved(RetrySettings settings, DoubtEvent happened)
    {
        Log(happened);
        settings.Callbacks.OnDoubtResolved.Call(happened, Retry);
    }

    internal ValueTask DoubtResolvedAsync(RetrySettings settings, DoubtEvent happened, CancellationToken cancellationToken)
    {
        Log(happened);
        return settings.Callbacks.OnDoubtResolved.CallAsync(happened, Retry, cancellationToken);
    }

    /// <summary>Nobody could even be asked.</summary>
    internal void OutcomeUnknown(string? host) => Commits.OutcomeUnknown(host ?? "the database", "(not noted)", "nobody was asked");

    /// <summary>Logs what was learnt of the hosts of a cluster and nobody has logged yet.</summary>
    internal void Tell(Cluster cluster)
    {
        while (cluster.News.TryTake(out var change))
        {
            switch (change.Kind)
            {
                case HostChangeKind.Found:
                    Hosts.HostFound(change.Host, change.Role!.Value.Describe());
                    break;
                case HostChangeKind.Lost:
                    Hosts.HostLost(change.Host);
                    break;
                default:
                    Hosts.FailedOver(change.Host, change.Failover!.PreviousHost, change.Failover.Duration.TotalMilliseconds);
                    break;
            }
        }
    }

    internal void Waiting(Cluster cluster)
    {
        Tell(cluster);
        Hosts.WaitingForHost(cluster.Name);
    }

    /// <summary>Calls the application about a failover that this callback of its has not heard of.</summary>
    internal void Noticed(RetrySettings settings, Cluster cluster)
    {
        if (cluster.News.LatestFailover is { } failover && settings.Callbacks.OnFailover is { Sync: { } callback } && failover.IsNewTo(callback))
        {
            settings.Callbacks.OnFailover.Call(failover.Event, Retry);
        }
    }

    /// <inheritdoc cref="Noticed"/>
    internal ValueTask NoticedAsync(RetrySettings settings, Cluster cluster, CancellationToken cancellationToken)
    {
        Noticed(settings, cluster);
        return cluster.News.LatestFailover is { } failover && settings.Callbacks.OnFailover is { Async: { } callback } && failover.IsNewTo(callback)
            ? (settings.Callbacks.OnFailover with { Sync = null }).CallAsync(failover.Event, Retry, cancellationToken)
            : ValueTask.CompletedTask;
    }

    private RetryEvent Retrying(RetryUnit unit, TimeSpan delay)
    {
        var happened = unit.Retrying(delay);
        Retry.AttemptRetried(
            happened.Exception,
            happened.Attempt,
            happened.Host ?? "no host",
            unit.Failure.Reason,
            unit.Failure.KindName,
            happened.SqlState ?? "none",
            delay.TotalMilliseconds);
        return happened;
    }

    private void Log(DoubtEvent happened)
    {
        var (host, xid) = (happened.Host ?? "the database", happened.TransactionId?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "(not noted)");
        if (happened.Outcome is CommitOutcome.Unknown)
        {
            Commits.OutcomeUnknown(host, xid, happened.Answers);
        }
        else
        {
            Commits.DoubtResolved(
                host, happened.Duration.TotalMilliseconds, xid, happened.Outcome is CommitOutcome.Committed ? "it is committed" : "it is not committed");
        }
    }
}
