using System.Collections.Frozen;
using DbRetry.EFCore.Commits.Witness;

namespace DbRetry.EFCore.Retry;

/// <summary>The options as they were when the context's options were built: checked, resolved and unchangeable.</summary>
internal sealed record RetrySettings
{
    internal required int MaxRetryCount { get; init; }

    internal required TimeSpan FailoverTimeout { get; init; }

    internal required TimeSpan HostTimeout { get; init; }

    internal required bool AbandonSilentHosts { get; init; }

    /// <summary><see langword="null"/>: what the connection string says.</summary>
    internal required TargetSession? TargetSession { get; init; }

    internal required bool ReadYourWrites { get; init; }

    internal required TimeSpan ConflictDelay { get; init; }

    internal required TimeSpan MaxConflictDelay { get; init; }

    internal required bool QueueConflicts { get; init; }

    internal required TimeSpan ReconnectDelay { get; init; }

    internal required TimeSpan MaxReconnectDelay { get; init; }

    internal required int RetryBudget { get; init; }

    internal required CommitVerification CommitVerification { get; init; }

    internal required WitnessTable WitnessTable { get; init; }

    internal required ResultBuffering Buffering { get; init; }

    internal required int ReadAheadRows { get; init; }

    internal required FailureRules Rules { get; init; }

    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">The number of retries comes from an environment variable that holds no number.</exception>
    internal static RetrySettings From(DbRetryOptions options)
    {
        DbRetryOptionsValidator.Validate(options);
        return new RetrySettings
        {
            MaxRetryCount = options.MaxRetryCount,
            FailoverTimeout = options.FailoverTimeout,
            HostTimeout = options.HostTimeout,
            AbandonSilentHosts = options.AbandonSilentHosts && options.MaxRetryCount > 0,
            TargetSession = options.TargetSession,
            ReadYourWrites = options.ReadYourWrites,
            ConflictDelay = options.ConflictDelay,
            MaxConflictDelay = options.MaxConflictDelay,
            QueueConflicts = options.QueueConflicts,
            ReconnectDelay = options.ReconnectDelay,
            MaxReconnectDelay = options.MaxReconnectDelay,
            RetryBudget = options.RetryBudget,
            CommitVerification = options.CommitVerification,
            WitnessTable = WitnessTable.Named(options.WitnessTable),
            Buffering = options.Buffering,
            ReadAheadRows = options.ReadAheadRows,
            Rules = new FailureRules(options.ShouldRetry, options.RetriableSqlStates.ToFrozenSet(StringComparer.Ordinal)),
        };
    }
}
