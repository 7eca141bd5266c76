using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>The server refuses what <see cref="CommitVerification.TransactionStatus"/> asks of it.</summary>
internal sealed class StatusRefusedException : InvalidOperationException
{
    internal const string Advice = $"Set {nameof(DbRetryOptions)}.{nameof(DbRetryOptions.CommitVerification)} to {nameof(CommitVerification.Witness)}, "
        + $"which needs no more than a table, or to {nameof(CommitVerification.Surface)}.";

    // Those that ride along with the application's own statement are told from it by their names, which messages hold in every language.
    private static readonly string[] Functions =
    [
        "pg_current_xact_id_if_assigned", "pg_current_wal_insert_lsn", "pg_wal_lsn_diff", "pg_control_system", "pg_walfile_name", "pg_last_wal_replay_lsn",
        "pg_postmaster_start_time", "pg_stat_get_bgwriter_stat_reset_time",
    ];

    internal StatusRefusedException(PostgresException refusal)
        : this(refusal, refusal)
    {
    }

    private StatusRefusedException(PostgresException refusal, Exception innerException)
        : base(
            $"{nameof(CommitVerification)}.{nameof(CommitVerification.TransactionStatus)} notes the id of a transaction and the state of its server, which "
            + $"refuses to tell them: {refusal.MessageText}. The transaction was not committed. {Advice}",
            innerException)
    {
    }

    /// <summary>What to throw in the place of an exception that a refusal is the cause of.</summary>
    internal static StatusRefusedException? Of(Exception exception, CommitVerification verification)
        => verification is CommitVerification.TransactionStatus
            && exception is not StatusRefusedException
            && ExceptionChain.Walk(exception).OfType<PostgresException>().FirstOrDefault(IsOfOurs) is { } refusal
                ? new(refusal, exception)
                : null;

    private static bool IsOfOurs(PostgresException exception)
        => exception.IsRefusal() && Array.Exists(Functions, function => exception.MessageText.Contains(function, StringComparison.Ordinal));
}
