using Witnesses = DbRetry.EFCore.Commits.Witness.WitnessTable;

namespace DbRetry.EFCore;

/// <summary>Checks options that people wrote, so that a mistake is named where it was made.</summary>
internal static class DbRetryOptionsValidator
{
    /// <summary>Far beyond anything useful; keeps attempt counters far from overflowing.</summary>
    internal const int MaxRetryCount = 1_000_000;

    /// <summary>Who wants more wants <see cref="ResultBuffering.Full"/>.</summary>
    internal const int MaxReadAheadRows = 1_000_000;

    /// <summary>Any longer wait is a mistake in the unit, and timers end at 49 days.</summary>
    internal static readonly TimeSpan MaxWait = TimeSpan.FromDays(1);

    /// <summary>The most that Npgsql takes for <c>Timeout</c> (NpgsqlConnection.TimeoutLimit).</summary>
    internal static readonly TimeSpan MaxHostTimeout = TimeSpan.FromSeconds(1024);

    private static readonly TimeSpan MinWait = TimeSpan.FromTicks(1);

    /// <exception cref="ArgumentException">An option is out of its range; names the option, its value and the range.</exception>
    internal static void Validate(DbRetryOptions options)
    {
        if (Find(options) is { } mistake)
        {
            throw mistake.IsOutOfRange
                ? new ArgumentOutOfRangeException(mistake.Option, mistake.Value, mistake.Message)
                : new ArgumentException(mistake.Message, mistake.Option);
        }
    }

    /// <summary>The first mistake, if there is one.</summary>
    internal static OptionMistake? Find(DbRetryOptions options)
        => InRange(options.MaxRetryCount, 0, MaxRetryCount, nameof(DbRetryOptions.MaxRetryCount))
            ?? InRange(options.FailoverTimeout, MinWait, MaxWait, nameof(DbRetryOptions.FailoverTimeout))
            ?? InRange(options.HostTimeout, MinWait, MaxHostTimeout, nameof(DbRetryOptions.HostTimeout))
            ?? Delays(options.ConflictDelay, options.MaxConflictDelay, nameof(DbRetryOptions.ConflictDelay), nameof(DbRetryOptions.MaxConflictDelay))
            ?? Delays(options.ReconnectDelay, options.MaxReconnectDelay, nameof(DbRetryOptions.ReconnectDelay), nameof(DbRetryOptions.MaxReconnectDelay))
            ?? InRange(options.RetryBudget, 0, int.MaxValue, nameof(DbRetryOptions.RetryBudget))
            ?? InRange(options.ReadAheadRows, 1, MaxReadAheadRows, nameof(DbRetryOptions.ReadAheadRows))
            ?? Defined(options.Buffering, nameof(DbRetryOptions.Buffering))
            ?? (options.TargetSession is { } target ? Defined(target, nameof(DbRetryOptions.TargetSession)) : null)
            ?? Defined(options.CommitVerification, nameof(DbRetryOptions.CommitVerification))
            ?? Table(options.WitnessTable)
            ?? States(options.RetriableSqlStates);

    private static OptionMistake? Delays(TimeSpan first, TimeSpan cap, string firstName, string capName)
        => InRange(first, MinWait, MaxWait, firstName)
            ?? InRange(cap, MinWait, MaxWait, capName)
            ?? (cap < first ? OutOfRange(capName, cap, $"{capName} is {cap}; it must be at least {firstName}, which is {first}.") : null);

    private static OptionMistake? InRange<T>(T value, T least, T most, string name)
        where T : struct, IComparable<T>
        => value.CompareTo(least) < 0 || value.CompareTo(most) > 0
            ? OutOfRange(name, value, $"{name} is {value}; it must be between {least} and {most}.")
            : null;

    private static OptionMistake? Defined<T>(T value, string name)
        where T : struct, Enum
        => Enum.IsDefined(value) ? null : OutOfRange(name, value, $"{name} is {value}, which is no {typeof(T).Name}.");

    private static OptionMistake? Table(string name)
        => Witnesses.IsName(name)
            ? null
            : new(nameof(DbRetryOptions.WitnessTable), name, $"{nameof(DbRetryOptions.WitnessTable)} is '{name}'; {Witnesses.NameRule}", IsOutOfRange: false);

    private static OptionMistake? States(IEnumerable<string> states)
    {
        foreach (var state in states)
        {
            if (!IsSqlState(state))
            {
                return new(
                    nameof(DbRetryOptions.RetriableSqlStates),
                    state,
                    $"{nameof(DbRetryOptions.RetriableSqlStates)} holds '{state}'; a SQLSTATE is five characters out of 0-9 and A-Z, such as 55P03.",
                    IsOutOfRange: false);
            }
        }

        return null;
    }

    private static OptionMistake OutOfRange(string name, object value, string message) => new(name, value, message, IsOutOfRange: true);

    private static bool IsSqlState(string? state)
    {
        if (state is not { Length: 5 })
        {
            return false;
        }

        foreach (var c in state)
        {
            if (!char.IsAsciiDigit(c) && !char.IsAsciiLetterUpper(c))
            {
                return false;
            }
        }

        return true;
    }
}

/// <summary>An option that is not what it must be.</summary>
/// <param name="Option">Its name.</param>
/// <param name="Value">Its value.</param>
/// <param name="Message">What it is and what it must be.</param>
/// <param name="IsOutOfRange">Whether another value of the same kind would do.</param>
internal sealed record OptionMistake(string Option, object? Value, string Message, bool IsOutOfRange);
