using System.Data.Common;
using Npgsql;

namespace DbRetry.EFCore.Commits.Witness;

/// <summary>A row that is written in the transaction itself.</summary>
/// <param name="upkeep">Knows whether the table is there.</param>
/// <param name="table">Where it is written to.</param>
/// <param name="processId">The backend that runs the transaction.</param>
/// <param name="failoverTimeout">How long somebody may ask for it.</param>
internal sealed class WitnessProof(WitnessUpkeep upkeep, WitnessTable table, int processId, TimeSpan failoverTimeout) : ICommitProof
{
    private readonly Guid _id = Guid.CreateVersion7();

    public ulong? Xid => null;

    public bool WroteNothing => false;

    public void Commit(NpgsqlConnection connection, DbTransaction transaction)
    {
        try
        {
            using var commit = table.Commit(connection, _id);
            commit.ExecuteNonQuery();
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            upkeep.Forget(connection, table);
            throw;
        }

        upkeep.Clean(connection, table, failoverTimeout);
    }

    public async Task CommitAsync(NpgsqlConnection connection, DbTransaction transaction)
    {
        try
        {
            var commit = table.Commit(connection, _id);
            await using (commit.ConfigureAwait(false))
            {
                await commit.ExecuteNonQueryAsync(CancellationToken.None).ConfigureAwait(false);
            }
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            upkeep.Forget(connection, table);
            throw;
        }

        await upkeep.CleanAsync(connection, table, failoverTimeout).ConfigureAwait(false);
    }

    public bool Concerns(ServerIncarnation server) => true;

    // Nobody noted on which timeline it ran.
    public bool WasSucceededBy(ServerIncarnation server) => false;

    // Nothing is asked before there is only one primary left to believe: the answer is given by the question itself.
    public XidStatus Ask(NpgsqlConnection connection) => XidStatus.InProgress;

    public Task<XidStatus> AskAsync(NpgsqlConnection connection, CancellationToken cancellationToken) => Task.FromResult(XidStatus.InProgress);

    public CommitVerdict Judge(CommitEvidence evidence, IReadOnlyList<SeenRecovery> seen) => CommitVerdict.InProgress;

    public bool StaysUnknown(ServerIncarnation server) => false;

    public bool CanSettle(ServerIncarnation server) => true;

    public CommitVerdict Settle(NpgsqlConnection connection)
    {
        try
        {
            using var settle = table.Settle(connection, _id);
            return Verdict(settle.ExecuteScalar());
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            RollBack(connection);
            using var end = table.EndStuckBackend(connection, processId);
            end.ExecuteNonQuery();
            return CommitVerdict.InProgress;
        }
    }

    public async Task<CommitVerdict> SettleAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            var settle = table.Settle(connection, _id);
            await using (settle.ConfigureAwait(false))
            {
                return Verdict(await settle.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false));
            }
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            await RollBackAsync(connection, cancellationToken).ConfigureAwait(false);
            var end = table.EndStuckBackend(connection, processId);
            await using (end.ConfigureAwait(false))
            {
                await end.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }

            return CommitVerdict.InProgress;
        }
    }

    private static CommitVerdict Verdict(object? committed) => committed is true ? CommitVerdict.Committed : CommitVerdict.NotCommitted;

    private static void RollBack(NpgsqlConnection connection)
    {
        using var rollback = new NpgsqlCommand("ROLLBACK", connection);
        rollback.ExecuteNonQuery();
    }

    private static async Task RollBackAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var rollback = new NpgsqlCommand("ROLLBACK", connection);
        await using (rollback.ConfigureAwait(false))
        {
            await rollback.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
