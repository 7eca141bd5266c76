using DbRetry.EFCore.Retry;
using Microsoft.Extensions.Logging;

namespace DbRetry.EFCore;

/// <summary>What <c>UseDbRetry</c> retries, how long, and against which hosts. Plain properties that bind from configuration.</summary>
/// <remarks>
/// Values are checked by <c>UseDbRetry</c>; a value out of range is an <see cref="ArgumentOutOfRangeException"/> that names the property.
/// Changing an instance after it was handed to <c>UseDbRetry</c> has no effect.
/// </remarks>
public sealed class DbRetryOptions
{
    internal const string DefaultWitnessTable = "dbretry_commits";

    private int? _maxRetryCount;
    private HashSet<string> _retriableSqlStates = new(StringComparer.Ordinal);

    /// <summary>
    /// How often a unit is run again after its first attempt failed in a way that is safe and useful to repeat. 0 turns retries off.
    /// </summary>
    /// <value>
    /// The environment variable <c>DB_RETRY_RETRIES_NUMBER</c>, else <c>DB_UTILS_RETRIES_NUMBER</c>, else 3.
    /// </value>
    /// <exception cref="InvalidOperationException">The environment variable is read and holds no non-negative integer.</exception>
    public int MaxRetryCount
    {
        get => _maxRetryCount ?? RetriesNumberVariable.Read(Environment.GetEnvironmentVariable);
        set => _maxRetryCount = value;
    }

    /// <summary>
    /// How long, from the first failure of a unit, lost connections and missing hosts are waited for before the unit is given up.
    /// </summary>
    /// <value>60 seconds.</value>
    public TimeSpan FailoverTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>The longest that one host may take to accept a connection before the next host is tried.</summary>
    /// <value>3 seconds. A shorter <c>Timeout</c> in the connection string wins. Whole seconds count; a fraction is rounded up.</value>
    public TimeSpan HostTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// Whether commands that wait for a host that has fallen silent (a frozen process, a network that swallows packets) are given up as soon as that is certain,
    /// instead of when their <c>Command Timeout</c> has passed: when the host leaves probes unanswered as well, or another primary has taken its place.
    /// </summary>
    /// <value><see langword="true"/>. A command that is merely slow is never given up: its host answers probes.</value>
    public bool AbandonSilentHosts { get; set; } = true;

    /// <summary>Which hosts of the cluster may serve this context.</summary>
    /// <value>
    /// What the connection string says (<c>target_session_attrs</c>, <c>Target Session Attributes</c>); where it is silent,
    /// <see cref="TargetSession.ReadWrite"/> for several hosts and <see cref="TargetSession.Any"/> for one.
    /// </value>
    public TargetSession? TargetSession { get; set; }

    /// <summary>
    /// Whether a context that reads from standbys sees what it wrote itself: a standby that has not replayed that yet is passed over. Under
    /// <see cref="EFCore.TargetSession.PreferStandby"/> and <see cref="EFCore.TargetSession.Any"/> the primary serves if all lag; under
    /// <see cref="EFCore.TargetSession.Standby"/> and <see cref="EFCore.TargetSession.ReadOnly"/> they are waited for within <see cref="FailoverTimeout"/>.
    /// </summary>
    /// <remarks>
    /// After a write, the next connection for reading costs a question to the primary, and each one a question to the standby. Writes that were sent past EF
    /// do not count. <c>Database.GetLastCommitPosition()</c> does the same across contexts and processes.
    /// </remarks>
    /// <value><see langword="false"/>.</value>
    public bool ReadYourWrites { get; set; }

    /// <summary>The upper bound of the first wait after a conflict (SQLSTATE 40001, 40P01); it doubles with each retry, with full jitter.</summary>
    /// <value>5 milliseconds.</value>
    public TimeSpan ConflictDelay { get; set; } = TimeSpan.FromMilliseconds(5);

    /// <summary>The cap of the wait after a conflict.</summary>
    /// <value>250 milliseconds.</value>
    public TimeSpan MaxConflictDelay { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// Whether units of one kind (that run the same code against the same cluster) queue, first come, first served, while they lose conflicts to each other,
    /// instead of racing again. Nobody waits where conflicts are rare.
    /// </summary>
    /// <value><see langword="true"/>.</value>
    public bool QueueConflicts { get; set; } = true;

    /// <summary>
    /// The upper bound of the first wait between two looks for a usable host after a connection was lost; it doubles with each look, with full jitter.
    /// Where hosts are probed for all who wait, it bounds the wait after news of a host that could not be used.
    /// </summary>
    /// <value>20 milliseconds.</value>
    public TimeSpan ReconnectDelay { get; set; } = TimeSpan.FromMilliseconds(20);

    /// <summary>The cap of that wait between two looks for a usable host.</summary>
    /// <value>500 milliseconds.</value>
    public TimeSpan MaxReconnectDelay { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// How many retries of lost connections one cluster may get in a burst, for the whole process; a tenth of it is refilled per second.
    /// Conflicts do not count: they show that the database is there. 0 turns the budget off.
    /// </summary>
    /// <value>1,000 retries, refilled by 100 per second.</value>
    public int RetryBudget { get; set; } = 1000;

    /// <summary>How the outcome of a transaction is established whose connection was lost while it was being committed.</summary>
    /// <value><see cref="CommitVerification.TransactionStatus"/>.</value>
    public CommitVerification CommitVerification { get; set; } = CommitVerification.TransactionStatus;

    /// <summary>
    /// The table that <see cref="CommitVerification.Witness"/> writes to: a name, or a schema's and a table's with a point between. It is case-sensitive.
    /// </summary>
    /// <value><c>dbretry_commits</c>, in the first schema of the connection's search path.</value>
    public string WitnessTable { get; set; } = DefaultWitnessTable;

    /// <summary>How much of a query's result is read before its first row is handed out, so that a failure in the middle is retried as well.</summary>
    /// <value><see cref="ResultBuffering.ReadAhead"/>.</value>
    public ResultBuffering Buffering { get; set; } = ResultBuffering.ReadAhead;

    /// <summary>How many rows of a result <see cref="ResultBuffering.ReadAhead"/> reads before it hands out the first one; at least 1.</summary>
    /// <value>1,000 rows.</value>
    public int ReadAheadRows { get; set; } = 1000;

    /// <summary>SQLSTATEs that are retried although the built-in table calls them permanent. 40003 and 08007, which say that the outcome is unknown, never are.</summary>
    /// <value>Empty.</value>
    public ISet<string> RetriableSqlStates => _retriableSqlStates;

    /// <summary>
    /// Decides about an exception before the built-in table does: <see langword="true"/> retries, <see langword="false"/> gives up,
    /// <see langword="null"/> leaves it to the table. It is asked about the exception that was thrown and then about each one inside it; its first
    /// answer counts. It can make neither a commit whose outcome is unknown nor a cancelled operation be repeated.
    /// </summary>
    /// <value><see langword="null"/>: the table decides.</value>
    public Func<Exception, bool?>? ShouldRetry { get; set; }

    /// <summary>Called when an attempt failed and its unit is going to run again. It holds up the unit; what it throws is logged and goes no further.</summary>
    /// <value><see langword="null"/>.</value>
    public Action<RetryEvent>? OnRetry { get; set; }

    /// <summary>
    /// The asynchronous form of <see cref="OnRetry"/>, awaited by asynchronous operations after that. Synchronous operations do not call it: they could only
    /// block a thread.
    /// </summary>
    /// <value><see langword="null"/>.</value>
    public Func<RetryEvent, CancellationToken, ValueTask>? OnRetryAsync { get; set; }

    /// <summary>
    /// Called when another host than before was found to be the primary, by the first context with this callback that connects afterwards: once per failover
    /// and process, however many contexts share it. What it throws is logged and goes no further.
    /// </summary>
    /// <value><see langword="null"/>.</value>
    public Action<FailoverEvent>? OnFailover { get; set; }

    /// <summary>
    /// The asynchronous form of <see cref="OnFailover"/>, awaited by the first asynchronous operation that connects afterwards; synchronous ones do not call it.
    /// </summary>
    /// <value><see langword="null"/>.</value>
    public Func<FailoverEvent, CancellationToken, ValueTask>? OnFailoverAsync { get; set; }

    /// <summary>
    /// Called when a connection was lost during COMMIT and the cluster was asked what became of the transaction, whatever the outcome, before the unit goes
    /// on. What it throws is logged and goes no further.
    /// </summary>
    /// <value><see langword="null"/>.</value>
    public Action<DoubtEvent>? OnDoubtResolved { get; set; }

    /// <summary>The asynchronous form of <see cref="OnDoubtResolved"/>, awaited by asynchronous operations; synchronous ones do not call it.</summary>
    /// <value><see langword="null"/>.</value>
    public Func<DoubtEvent, CancellationToken, ValueTask>? OnDoubtResolvedAsync { get; set; }

    /// <summary>Where <see cref="DbRetryPolicy"/> logs. A context logs where EF Core does, whatever is said here.</summary>
    /// <value><see langword="null"/>: nowhere.</value>
    public ILoggerFactory? LoggerFactory { get; set; }

    internal DbRetryOptions Copy()
    {
        var copy = (DbRetryOptions)MemberwiseClone();
        copy._retriableSqlStates = new HashSet<string>(_retriableSqlStates, StringComparer.Ordinal);
        return copy;
    }
}
