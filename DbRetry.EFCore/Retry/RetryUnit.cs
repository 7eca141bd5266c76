using System.Diagnostics;
using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Diagnostics;
using DbRetry.EFCore.Hosts.Targets;
using DbRetry.EFCore.Retry.Fencing;
using Npgsql;

namespace DbRetry.EFCore.Retry;

/// <summary>What is to happen after a failed attempt.</summary>
internal enum AfterFailure
{
    /// <summary>The failure surfaces as itself.</summary>
    Surface,

    /// <summary>The failure surfaces as <see cref="RetryUnit.Error"/>.</summary>
    Throw,

    /// <summary>The unit runs again after <see cref="RetryUnit.Delay"/>.</summary>
    Retry,
}

/// <summary>The retries of one unit: judges each failure, counts, and decides what comes next. Does no I/O.</summary>
internal sealed class RetryUnit(RetrySettings settings, AttemptLog log, TimeProvider time, Random random)
{
    private readonly List<Exception> _exceptions = [];
    private readonly List<string> _hosts = [];
    private int _started;
    private int _conflicts;
    private Verdict _verdict;
    private ReadOnlyHostRemedy? _remedy;

    /// <summary>The failures so far, as EF's own retry event reports them.</summary>
    internal IReadOnlyList<Exception> Exceptions => _exceptions;

    internal Exception? Error { get; private set; }

    internal TimeSpan Delay { get; private set; }

    /// <summary>How many attempts have failed.</summary>
    internal int Failures => _exceptions.Count;

    /// <summary>The failure that was judged last.</summary>
    internal Failure Failure { get; private set; }

    /// <summary>The host of the latest attempt; <see langword="null"/> if it reached none.</summary>
    internal string? Host => Failure.Kind is FailureKind.HostUnavailable ? null : ConnectedTo;

    /// <summary>The host of the latest connection; <see langword="null"/> if hosts are not known.</summary>
    internal string? ConnectedTo => log.Host?.ToString();

    /// <summary>Since the first failure.</summary>
    internal TimeSpan Elapsed => time.GetElapsedTime(log.FirstFailureAt!.Value);

    /// <summary>Whether conflicts were all that went wrong.</summary>
    internal bool LostConflictsOnly => _conflicts == _exceptions.Count;

    /// <summary>Why a unit that could run again was given up.</summary>
    internal string? WhyExhausted { get; private set; }

    /// <summary>Whether it was the budget of the cluster that is used up.</summary>
    internal bool IsBudgetExhausted { get; private set; }

    /// <summary>Whether a caller's own check that the work was applied may settle the matter.</summary>
    internal bool IsVerifiable => _verdict is not Verdict.Permanent || Failure.Kind is FailureKind.OutcomeUnknown;

    /// <summary>Whether one more attempt is all that <c>MaxRetryCount</c> allows.</summary>
    internal bool IsLastChance => _started >= settings.MaxRetryCount;

    /// <summary>Whether the attempt that was judged last lost a conflict, or waited in vain for a lock where that is retried.</summary>
    internal bool LostConflict
        => Failure is { Kind: FailureKind.Conflict } or { Kind: FailureKind.Declared, SqlState: PostgresErrorCodes.LockNotAvailable };

    /// <summary>Whether the server found that conflict by letting it wait.</summary>
    internal bool IsStalled => LostConflict && Failure.SqlState is PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.LockNotAvailable;

    /// <summary>Takes in how an attempt ended.</summary>
    internal void Judge(Exception exception)
    {
        log.Failed(time.GetTimestamp());
        _exceptions.Add(exception);
        var cause = FirstFailure.Of(exception, log);
        Failure = FailureClassifier.Classify(cause, log.Phase, log.IsConnectionBroken, settings.Rules);
        _verdict = VerdictTable.Decide(Failure, log.Phase);
        _started += Failure.Kind is FailureKind.HostUnavailable ? 0 : 1;
        log.LeftBehind = FenceRule.LeftBehind(log.LostSession, Failure.Answer) ?? log.LeftBehind;

        _remedy = Failure.Kind is FailureKind.ReadOnlyHost
            ? WriteTarget.AfterRefusal(log.Target, log.Host?.Route.Cluster.Hosts.Length ?? 1, log.ServerIsReadOnly)
            : null;
        if (log.Host is { } host)
        {
            _hosts.Add(host.ToString());
            if (Failure.Kind is FailureKind.LostConnection || _remedy is ReadOnlyHostRemedy.AnotherHost)
            {
                if (!log.IsHostDistrusted)
                {
                    host.Distrust();
                }

                log.DemandProof();
            }

            if (Failure.Kind is FailureKind.ReadOnlyHost && host.Route.ExpectsWrites)
            {
                log.RequirePrimary();
            }
        }

        if (_remedy is ReadOnlyHostRemedy.ThePrimary)
        {
            log.RequirePrimary();
        }

        if (_remedy is ReadOnlyHostRemedy.None or ReadOnlyHostRemedy.AnotherTarget)
        {
            _verdict = Verdict.Permanent;
        }
        else if (_verdict is Verdict.RolledBack && log.IsBare)
        {
            _verdict = Verdict.Permanent;
        }
        else if (log.IsIdempotent)
        {
            ResolveDoubt();
        }
    }

    /// <summary>The caller's own check says that nothing was applied.</summary>
    internal void VerifiedNotApplied() => ResolveDoubt();

    /// <summary>Tells a trace how the attempt ended that was judged last.</summary>
    internal void Report(Activity? attempt)
        => attempt?.Fail(Failure.KindName, Failure.SqlState, Failure.Reason, log.Host?.ToString() ?? "none");

    /// <summary>The unit is about to run again.</summary>
    /// <param name="delay">How long is waited before: <see cref="Delay"/>, or what a queue makes of it.</param>
    internal RetryEvent Retrying(TimeSpan delay)
    {
        RetryInstruments.Retried(Failure.KindName, Failure.SqlState, delay);
        return new(Failures, delay, Host, Failure.Kind, Failure.SqlState, _exceptions[^1]);
    }

    /// <summary>Decides what follows the failure that was judged last.</summary>
    internal AfterFailure Next()
    {
        var next = Decide();
        if (next is not AfterFailure.Retry)
        {
            RetryInstruments.Failed(Failure.KindName, Failure.SqlState, OutcomeName(_verdict));
        }

        return next;
    }

    private static string OutcomeName(Verdict verdict)
        => verdict switch
        {
            Verdict.Permanent => "permanent",
            Verdict.OutcomeInDoubt => "unknown",
            _ => "exhausted",
        };

    private AfterFailure Decide()
    {
        var exception = _exceptions[^1];
        if (_remedy is ReadOnlyHostRemedy.AnotherTarget)
        {
            return Throw(SessionTargets.Refusal(log.Target!.Value, exception));
        }

        if (_verdict is Verdict.Permanent || settings.MaxRetryCount == 0 && _verdict is not Verdict.OutcomeInDoubt)
        {
            return StatusRefusedException.Of(exception, settings.CommitVerification) is { } refused ? Throw(refused) : AfterFailure.Surface;
        }

        if (_verdict is Verdict.OutcomeInDoubt)
        {
            return Failure.Deciding is CommitOutcomeUnknownException
                ? AfterFailure.Surface
                : Throw(new CommitOutcomeUnknownException(log.Host?.ToString(), exception));
        }

        WhyExhausted = Exhausted();
        if (WhyExhausted is not null)
        {
            return Throw(new RetriesExhaustedException(Story(WhyExhausted), exception));
        }

        var retry = LostConflict ? ++_conflicts : _exceptions.Count - _conflicts;
        Delay = _remedy is ReadOnlyHostRemedy.ThePrimary || (retry == 1 && WaitsInOpen())
            ? TimeSpan.Zero
            : RetryDelays.Next(settings, LostConflict ? FailureKind.Conflict : Failure.Kind, retry, random.NextDouble());
        return AfterFailure.Retry;
    }

    // Running it again does no harm now; whether it is of use is another question.
    private void ResolveDoubt()
    {
        if (Failure.Kind is FailureKind.OutcomeUnknown)
        {
            _verdict = Verdict.RolledBack;
        }
        else if (_verdict is Verdict.OutcomeInDoubt)
        {
            _verdict = Failure.IsRetriable ? Verdict.RolledBack : Verdict.Permanent;
        }
    }

    // A host is waited for where it is seen first. To wait here as well helps only against a server that ends connections again and again.
    private bool WaitsInOpen() => Failure.Kind is FailureKind.LostConnection && log.Host is { Route: { CanProbe: true, Cluster.Hosts.Length: > 1 } };

    private string? Exhausted()
    {
        // An attempt that found no host did not start; only time bounds those.
        if (_started > settings.MaxRetryCount)
        {
            return $"MaxRetryCount is {settings.MaxRetryCount}";
        }

        if (Elapsed >= settings.FailoverTimeout)
        {
            return $"FailoverTimeout is {settings.FailoverTimeout.TotalSeconds:0.###} s";
        }

        if (LostConflict || log.Host is not { } host || host.Route.Cluster.TryTakeRetry(settings.RetryBudget, time))
        {
            return null;
        }

        IsBudgetExhausted = true;
        RetryInstruments.BudgetExhausted();
        return $"the RetryBudget of {settings.RetryBudget} for cluster {host.Route.Cluster.Name} is used up";
    }

    private string Story(string why)
    {
        var elapsed = Elapsed.TotalSeconds;
        var hosts = _hosts.Count > 0 ? $" (on {string.Join(", ", _hosts.Distinct())})" : _started == 0 ? " (no host was reached)" : string.Empty;
        return $"The work failed in each of {_exceptions.Count} attempts over {elapsed:0.###} s{hosts}, and {why}. "
            + $"Last failure: {Failure.Reason}. Nothing of it was applied. See the inner exception; "
            + "raise DbRetryOptions.MaxRetryCount or FailoverTimeout if the cluster needs longer.";
    }

    private AfterFailure Throw(Exception error)
    {
        Error = error;
        return AfterFailure.Throw;
    }
}
