using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace DbRetry.EFCore.Diagnostics;

/// <summary>What DbRetry measures. The names are public surface: people build dashboards on them (README, "Watching it").</summary>
/// <remarks>Names, units and attributes follow OpenTelemetry's semantic conventions. Nothing is computed while nobody listens.</remarks>
internal static class RetryInstruments
{
    /// <summary>Of the meter and of the activity source.</summary>
    internal const string SourceName = "DbRetry.EFCore";

    private const string Kind = "dbretry.failure.kind";
    private const string SqlState = "db.response.status_code";

    private static readonly Meter Meter = new(SourceName, Version);

    private static readonly Counter<long> AttemptCount = Meter.CreateCounter<long>(
        "dbretry.attempts", "{attempt}", "Attempts that began, first ones and retries.");

    private static readonly Counter<long> RetryCount = Meter.CreateCounter<long>(
        "dbretry.retries", "{retry}", "Attempts that failed and were followed by another one.");

    private static readonly Histogram<double> RetryDelay = Meter.CreateHistogram<double>(
        "dbretry.retry.delay", "s", "How long was waited between two attempts, apart from waiting for a host or in a queue.");

    private static readonly Counter<long> FailureCount = Meter.CreateCounter<long>(
        "dbretry.failures", "{failure}", "Units whose failure the caller saw.");

    private static readonly Histogram<double> VerificationTime = Meter.CreateHistogram<double>(
        "dbretry.commit.verification.duration", "s", "How long it took to find out whether a transaction was committed whose COMMIT got no answer.");

    private static readonly Counter<long> FailoverCount = Meter.CreateCounter<long>(
        "dbretry.failovers", "{failover}", "How often another host than before was found to be the primary.");

    private static readonly Counter<long> AbandonedCount = Meter.CreateCounter<long>(
        "dbretry.commands.abandoned", "{command}", "Commands that were given up because their host had fallen silent or had been replaced.");

    private static readonly Histogram<double> FailoverTime = Meter.CreateHistogram<double>(
        "dbretry.failover.duration", "s", "How long this process was without a primary until another host was found to be the primary.");

    private static readonly Counter<long> RoleChangeCount = Meter.CreateCounter<long>(
        "dbretry.host.role_changes", "{change}", "How often a host was found in another role than before.");

    private static readonly Histogram<double> HostWaitTime = Meter.CreateHistogram<double>(
        "dbretry.host.wait.duration", "s", "How long was waited for a host that fits while none did.");

    private static readonly Counter<long> ProbeCount = Meter.CreateCounter<long>(
        "dbretry.probes", "{probe}", "Connections that were made to find out whether a host fits, while somebody waited for one.");

    private static readonly Counter<long> BudgetExhaustedCount = Meter.CreateCounter<long>(
        "dbretry.retry_budget.exhausted", "{unit}", "Units that were given up because the retry budget of their cluster was used up.");

    private static readonly UpDownCounter<long> QueueLength = Meter.CreateUpDownCounter<long>(
        "dbretry.queue.length", "{attempt}", "Attempts that wait in a queue of units that lose conflicts to each other.");

    private static readonly Histogram<double> QueueTime = Meter.CreateHistogram<double>(
        "dbretry.queue.duration", "s", "How long an attempt waited in the queue of units that lose conflicts to each other.");

    private static string? Version => typeof(RetryInstruments).Assembly.GetName().Version?.ToString(3);

    internal static ActivitySource Activities { get; } = new(SourceName, Version);

    internal static void Attempted() => AttemptCount.Add(1);

    internal static void Retried(string kind, string? sqlState, TimeSpan delay)
    {
        if (RetryCount.Enabled)
        {
            RetryCount.Add(1, Failure(kind, sqlState));
        }

        if (RetryDelay.Enabled)
        {
            RetryDelay.Record(delay.TotalSeconds, new KeyValuePair<string, object?>(Kind, kind));
        }
    }

    /// <param name="kind">Of the last failure.</param>
    /// <param name="sqlState">Of the last failure.</param>
    /// <param name="outcome">Why it was not run again: <c>permanent</c>, <c>exhausted</c> or <c>unknown</c>.</param>
    internal static void Failed(string kind, string? sqlState, string outcome)
    {
        if (FailureCount.Enabled)
        {
            var tags = Failure(kind, sqlState);
            tags.Add("dbretry.outcome", outcome);
            FailureCount.Add(1, tags);
        }
    }

    /// <param name="verdict"><c>committed</c>, <c>not_committed</c> or <c>unknown</c>.</param>
    /// <param name="duration">Since the first question.</param>
    internal static void Verified(string verdict, TimeSpan duration)
        => VerificationTime.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("dbretry.commit.verdict", verdict));

    /// <param name="host">The new primary.</param>
    /// <param name="port">Its port.</param>
    /// <param name="duration">Without a primary; zero if nobody noticed that the old one was gone.</param>
    internal static void FailedOver(string host, int port, TimeSpan duration)
    {
        FailoverCount.Add(1, Address(host), Port(port));
        FailoverTime.Record(duration.TotalSeconds, Address(host), Port(port));
    }

    internal static void RoleChanged(string host, int port, string role)
        => RoleChangeCount.Add(1, Address(host), Port(port), new KeyValuePair<string, object?>("dbretry.host.role", role));

    internal static void Waited(TimeSpan duration) => HostWaitTime.Record(duration.TotalSeconds);

    internal static void Probed(string host, int port, bool answered)
    {
        if (ProbeCount.Enabled)
        {
            ProbeCount.Add(1, Address(host), Port(port), new KeyValuePair<string, object?>("dbretry.probe.outcome", answered ? "answered" : "failed"));
        }
    }

    internal static void BudgetExhausted() => BudgetExhaustedCount.Add(1);

    internal static void GaveUp(string host, int port, int commands)
        => AbandonedCount.Add(commands, Address(host), Port(port));

    internal static void Queued(TimeSpan duration) => QueueTime.Record(duration.TotalSeconds);

    /// <summary>Somebody has joined a queue, or left it.</summary>
    internal static void QueueGrew(int by) => QueueLength.Add(by);

    private static KeyValuePair<string, object?> Address(string host) => new("server.address", host);

    private static KeyValuePair<string, object?> Port(int port) => new("server.port", port);

    private static TagList Failure(string kind, string? sqlState)
    {
        var tags = new TagList { { Kind, kind } };
        if (sqlState is not null)
        {
            tags.Add(SqlState, sqlState);
        }

        return tags;
    }
}
