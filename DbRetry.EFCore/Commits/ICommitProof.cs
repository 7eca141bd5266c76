using System.Data.Common;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>What one transaction leaves behind, so that its outcome can be established when the answer to its COMMIT is lost.</summary>
internal interface ICommitProof
{
    /// <summary>The transaction's id, for messages; <see langword="null"/> if it is not known.</summary>
    ulong? Xid { get; }

    /// <summary>Whether there was nothing to commit.</summary>
    bool WroteNothing { get; }

    /// <summary>Sends COMMIT, with what the proof adds to it.</summary>
    void Commit(NpgsqlConnection connection, DbTransaction transaction);

    /// <inheritdoc cref="Commit"/>
    Task CommitAsync(NpgsqlConnection connection, DbTransaction transaction);

    /// <summary>Whether a server is of the cluster that the transaction ran on.</summary>
    bool Concerns(ServerIncarnation server);

    /// <summary>Whether a server has taken the place of the one that ran the transaction, so that what it has is what there is.</summary>
    bool WasSucceededBy(ServerIncarnation server);

    /// <summary>Asks a primary about the transaction.</summary>
    XidStatus Ask(NpgsqlConnection connection);

    /// <inheritdoc cref="Ask"/>
    Task<XidStatus> AskAsync(NpgsqlConnection connection, CancellationToken cancellationToken);

    /// <summary>What an answer proves.</summary>
    /// <param name="evidence">The answer of the primary that is believed.</param>
    /// <param name="seen">Recoveries that were seen, whenever they took place.</param>
    CommitVerdict Judge(CommitEvidence evidence, IReadOnlyList<SeenRecovery> seen);

    /// <summary>Whether <see cref="CommitVerdict.Unknown"/> will stay what it is on this server.</summary>
    bool StaysUnknown(ServerIncarnation server);

    /// <summary>Whether this server can end a transaction that is still open there.</summary>
    bool CanSettle(ServerIncarnation server);

    /// <summary>Ends the transaction if it is still open, so that its COMMIT can never arrive.</summary>
    /// <returns>What is known then; <see cref="CommitVerdict.InProgress"/> where it is to be asked for again.</returns>
    CommitVerdict Settle(NpgsqlConnection connection);

    /// <inheritdoc cref="Settle"/>
    Task<CommitVerdict> SettleAsync(NpgsqlConnection connection, CancellationToken cancellationToken);
}
