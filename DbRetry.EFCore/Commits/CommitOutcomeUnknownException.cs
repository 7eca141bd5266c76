using System.Data.Common;

namespace DbRetry.EFCore;

/// <summary>
/// A transaction was being committed when its connection was lost, and the server could not be made to say whether it is committed.
/// </summary>
/// <remarks>
/// Never retried, neither by this library nor, as <see cref="IsTransient"/> is <see langword="false"/>, by others that look at it. Look whether the
/// changes are there before repeating them.
/// </remarks>
public sealed class CommitOutcomeUnknownException : DbException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="host">The host that was asked to commit, without credentials; <see langword="null"/> if it is not known.</param>
    /// <param name="innerException">The failure that left the outcome open.</param>
    public CommitOutcomeUnknownException(string? host, Exception? innerException)
        : this(host, null, null, innerException)
    {
    }

    /// <summary>Creates the exception after the outcome was asked for in vain.</summary>
    /// <param name="host">The host that was asked to commit, without credentials; <see langword="null"/> if it is not known.</param>
    /// <param name="transactionId">The transaction's id (<c>xid8</c>); <see langword="null"/> if it is not known.</param>
    /// <param name="answers">What was asked and what each host answered; <see langword="null"/> if nobody was asked.</param>
    /// <param name="innerException">The failure that left the outcome open.</param>
    public CommitOutcomeUnknownException(string? host, ulong? transactionId, string? answers, Exception? innerException)
        : base(Describe(host, transactionId, answers), innerException)
    {
        Host = host;
        TransactionId = transactionId;
        Answers = answers;
    }

    /// <summary>The host that was asked to commit; <see langword="null"/> if it is not known.</summary>
    public string? Host { get; }

    /// <summary>
    /// The transaction's id, as <c>pg_current_xact_id()</c> gave it before the COMMIT; <see langword="null"/> if it was not noted.
    /// <c>pg_xact_status</c> tells its outcome, but only on the server that ran it and only if that has not recovered since.
    /// </summary>
    public ulong? TransactionId { get; }

    /// <summary>What each host answered when it was asked for the outcome; <see langword="null"/> if nobody was asked.</summary>
    public string? Answers { get; }

    /// <summary>Always <see langword="false"/>: repeating the work could apply it twice.</summary>
    public override bool IsTransient => false;

    private static string Describe(string? host, ulong? transactionId, string? answers)
        => $"The connection to {host ?? "the database"} was lost while {(transactionId is { } xid ? $"transaction {xid}" : "a transaction")} was being "
            + $"committed, and it could not be established whether it is committed{(answers is null ? string.Empty : $": {answers}")}. "
            + "It was not repeated, because that could apply it twice. Look whether its changes are there before running it again.";
}
