using System.Data;

namespace DbRetry.EFCore.Transactions;

/// <summary>What a scope may ask of a transaction, and which transaction is what it asked for.</summary>
internal static class ScopeRules
{
    /// <summary>The isolation level to begin with; <see langword="null"/> for the driver's own default.</summary>
    /// <exception cref="ArgumentException">The mode needs another level than the one that was asked for.</exception>
    internal static IsolationLevel? LevelToBegin(IsolationLevel? asked, TransactionScopeMode mode)
        => mode is not TransactionScopeMode.ReadOnlyDeferrable
            ? Given(asked)
            : Given(asked) is null or IsolationLevel.Serializable
                ? IsolationLevel.Serializable
                : throw new ArgumentException(
                    $"{nameof(TransactionScopeMode.ReadOnlyDeferrable)} has no effect unless the transaction is serializable (PostgreSQL, SET TRANSACTION), "
                    + $"but the isolation level is {asked}. Leave the level out, or use {nameof(TransactionScopeMode.ReadOnly)}.",
                    nameof(mode));

    /// <summary>Why a scope cannot take part in a transaction that is open already; <see langword="null"/> if it can.</summary>
    /// <param name="asked">The level that the scope asked for, if any.</param>
    /// <param name="mode">The mode that the scope asked for.</param>
    /// <param name="present">The level of the transaction.</param>
    /// <param name="presentMode">The mode of the transaction, as far as it is known.</param>
    internal static string? WhyNotJoin(IsolationLevel? asked, TransactionScopeMode mode, IsolationLevel present, TransactionScopeMode presentMode)
    {
        if (Given(asked) is { } level && InPostgres(level) != InPostgres(present))
        {
            return $"A transaction with isolation level {present} is open, and a scope inside it takes part in it, but {level} was asked for. "
                + "Ask for the same level or for none.";
        }

        return mode is not TransactionScopeMode.ReadWrite && mode != presentMode
            ? $"A transaction that is not known to be {mode} is open, and a scope inside it takes part in it. "
                + "Ask for the mode where the transaction begins."
            : null;
    }

    private static IsolationLevel? Given(IsolationLevel? asked) => asked is IsolationLevel.Unspecified ? null : asked;

    // PostgreSQL has three levels: it treats READ UNCOMMITTED as READ COMMITTED, and Npgsql sends REPEATABLE READ for Snapshot.
    private static IsolationLevel InPostgres(IsolationLevel level)
        => level switch
        {
            IsolationLevel.ReadUncommitted => IsolationLevel.ReadCommitted,
            IsolationLevel.Snapshot => IsolationLevel.RepeatableRead,
            _ => level,
        };
}
