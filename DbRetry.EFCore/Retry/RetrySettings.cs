using System.Collections.Frozen;
using DbRetry.EFCore.Commits.Witness;
using DbRetry.EFCore.Retry.Reporting;
using Microsoft.Extensions.Logging;

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

    internal required Callbacks Callbacks { get; init; }

    /// <summary>For work without a context.</summary>
    internal required ILoggerFactory? LoggerFactory { get; init; }

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
            Callbacks = Callbacks.Of(options),
            LoggerFactory = options.LoggerFactory,
        };
    }

    /// <summary>Some settings are built into routes, into the queries that EF compiled, or into tables: they hold for a context as a whole.</summary>
    /// <exception cref="InvalidOperationException">One of them differs.</exception>
    internal void ThrowIfChangedForTheWhole(RetrySettings context)
    {
        var changed = TargetSession != context.TargetSession ? nameof(TargetSession)
            : HostTimeout != context.HostTimeout ? nameof(HostTimeout)
            : WitnessTable != context.WitnessTable ? nameof(WitnessTable)
            : Buffering != context.Buffering ? nameof(Buffering)
            : ReadAheadRows != context.ReadAheadRows ? nameof(ReadAheadRows)
            : null;
        if (changed is not null)
        {
            throw new InvalidOperationException(
                $"{changed} holds for a context as a whole and cannot be changed by WithRetry(…). Set it with UseDbRetry(…), or use another context.");
        }
    }
}
