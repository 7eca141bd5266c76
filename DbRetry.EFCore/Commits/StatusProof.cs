using System.Data.Common;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>The transaction's id, whose status the surviving primary knows.</summary>
internal sealed class StatusProof(TransactionIdentity identity) : ICommitProof
{
    public ulong? Xid => identity.Xid;

    public bool WroteNothing => identity.Xid is null;

    public void Commit(NpgsqlConnection connection, DbTransaction transaction) => transaction.Commit();

    public Task CommitAsync(NpgsqlConnection connection, DbTransaction transaction) => transaction.CommitAsync(CancellationToken.None);

    public bool Concerns(ServerIncarnation server) => server.SystemIdentifier == identity.Server.SystemIdentifier;

    public bool WasSucceededBy(ServerIncarnation server) => identity.Server.History.IsSupersededBy(server.History);

    public CommitVerdict Judge(CommitEvidence evidence, IReadOnlyList<SeenRecovery> seen) => CommitVerdicts.Decide(identity, evidence, seen);

    // A primary of an older timeline is not the one that survived, which may still turn up. Anything else will not change by waiting.
    public bool StaysUnknown(ServerIncarnation server) => server.Timeline >= identity.Server.Timeline;

    // After a recovery there is no old backend.
    public bool CanSettle(ServerIncarnation server) => server.HasNotRecoveredSince(identity.Server);

    public XidStatus Ask(NpgsqlConnection connection)
    {
        using var command = TransactionQueries.ReadStatus(connection, identity.Xid!.Value);
        try
        {
            return TransactionQueries.Status(command.ExecuteScalar());
        }
        catch (PostgresException exception) when (IsInTheFuture(exception))
        {
            return XidStatus.InTheFuture;
        }
    }

    public async Task<XidStatus> AskAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var command = TransactionQueries.ReadStatus(connection, identity.Xid!.Value);
        await using (command.ConfigureAwait(false))
        {
            try
            {
                return TransactionQueries.Status(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false));
            }
            catch (PostgresException exception) when (IsInTheFuture(exception))
            {
                return XidStatus.InTheFuture;
            }
        }
    }

    public CommitVerdict Settle(NpgsqlConnection connection)
    {
        using var command = TransactionQueries.EndIdleBackend(connection, identity.ProcessId, identity.Xid!.Value);
        command.ExecuteNonQuery();
        return CommitVerdict.InProgress;
    }

    public async Task<CommitVerdict> SettleAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var command = TransactionQueries.EndIdleBackend(connection, identity.ProcessId, identity.Xid!.Value);
        await using (command.ConfigureAwait(false))
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }

        return CommitVerdict.InProgress;
    }

    private static bool IsInTheFuture(PostgresException exception) => exception.SqlState == PostgresErrorCodes.InvalidParameterValue;
}
