using System.Diagnostics.CodeAnalysis;
using Witnesses = DbRetry.EFCore.Commits.Witness.WitnessTable;

namespace DbRetry.EFCore;

/// <summary>Checks options that people wrote, so that a mistake is named where it was made.</summary>
[SuppressMessage("Usage", "CA2208", Justification = "The option that is out of range is what the reader has to correct, not the parameter of this method.")]
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
        InRange(options.MaxRetryCount, 0, MaxRetryCount, nameof(DbRetryOptions.MaxRetryCount));
        InRange(options.FailoverTimeout, MinWait, MaxWait, nameof(DbRetryOptions.FailoverTimeout));
        InRange(options.HostTimeout, MinWait, MaxHostTimeout, nameof(DbRetryOptions.HostTimeout));
        Delays(options.ConflictDelay, options.MaxConflictDelay, nameof(DbRetryOptions.ConflictDelay), nameof(DbRetryOptions.MaxConflictDelay));
        Delays(options.ReconnectDelay, options.MaxReconnectDelay, nameof(DbRetryOptions.ReconnectDelay), nameof(DbRetryOptions.MaxReconnectDelay));
        InRange(options.RetryBudget, 0, int.MaxValue, nameof(DbRetryOptions.RetryBudget));
        InRange(options.ReadAheadRows, 1, MaxReadAheadRows, nameof(DbRetryOptions.ReadAheadRows));
        if (!Enum.IsDefined(options.Buffering))
        {
            throw new ArgumentOutOfRangeException(
                nameof(DbRetryOptions.Buffering), options.Buffering, $"{nameof(DbRetryOptions.Buffering)} is {options.Buffering}, which is no {nameof(ResultBuffering)}.");
        }

        if (options.TargetSession is { } target && !Enum.IsDefined(target))
        {
            throw new ArgumentOutOfRangeException(
                nameof(DbRetryOptions.TargetSession), target, $"{nameof(DbRetryOptions.TargetSession)} is {target}, which is no {nameof(TargetSession)}.");
        }

        if (!Enum.IsDefined(options.CommitVerification))
        {
            throw new ArgumentOutOfRangeException(
                nameof(DbRetryOptions.CommitVerification),
                options.CommitVerification,
                $"{nameof(DbRetryOptions.CommitVerification)} is {options.CommitVerification}, which is no {nameof(CommitVerification)}.");
        }

        if (!Witnesses.IsName(options.WitnessTable))
        {
            throw new ArgumentException(
                $"{nameof(DbRetryOptions.WitnessTable)} is '{options.WitnessTable}'; {Witnesses.NameRule}", nameof(DbRetryOptions.WitnessTable));
        }

        foreach (var state in options.RetriableSqlStates)
        {
            if (!IsSqlState(state))
            {
                throw new ArgumentException(
                    $"{nameof(DbRetryOptions.RetriableSqlStates)} holds '{state}'; a SQLSTATE is five characters out of 0-9 and A-Z, such as 55P03.",
                    nameof(DbRetryOptions.RetriableSqlStates));
            }
        }
    }

    private static void Delays(TimeSpan first, TimeSpan cap, string firstName, string capName)
    {
        InRange(first, MinWait, MaxWait, firstName);
        InRange(cap, MinWait, MaxWait, capName);
        if (cap < first)
        {
            throw new ArgumentOutOfRangeException(capName, cap, $"{capName} is {cap}; it must be at least {firstName}, which is {first}.");
        }
    }

    private static void InRange<T>(T value, T least, T most, string name)
        where T : struct, IComparable<T>
    {
        if (value.CompareTo(least) < 0 || value.CompareTo(most) > 0)
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} is {value}; it must be between {least} and {most}.");
        }
    }

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
