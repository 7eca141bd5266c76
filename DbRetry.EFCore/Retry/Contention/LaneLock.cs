using System.Data.Common;
using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Diagnostics;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Silence;
using DbRetry.EFCore.Seams;
using Npgsql;

namespace DbRetry.EFCore.Retry.Contention;

/// <summary>A lane of all processes: an advisory lock that a transaction holds from before its snapshot to its end.</summary>
/// <remarks>
/// <para>
/// Who waits for it with a snapshot has lost when it gets it, but every statement that asks for it takes one. So the session takes the lock, the transaction
/// begins anew (with its isolation level and mode), takes the same lock, which is free for its own session, and the session gives it back. From then on
/// COMMIT, ROLLBACK and the end of the session free it (ServerBehavior/AdvisoryLockFacts). All goes in one round trip, along with BEGIN, and only where
/// nothing was done in the transaction yet.
/// </para>
/// <para>
/// Whatever goes wrong, the session never keeps the lock: behind a pooler it serves others next. The transaction stays open until that is seen to, so that
/// the pooler cannot pass the session on before, and where it cannot be seen to, the connection is ended.
/// </para>
/// </remarks>
internal sealed class LaneLock(AttemptLog log, AnswerWatch watch, TimeProvider time)
{
    /// <summary>The first of the two numbers of every lock, the second one being the lane: keeps them apart from the application's ("dbre").</summary>
    internal const int Space = 0x64627265;

    private static readonly TimeSpan CleanUpLimit = TimeSpan.FromSeconds(2);

    // The limit of the wait is set only by who has to wait, and ends with the transaction that waits.
    private const string WaitSql = """
        SELECT CASE
            WHEN pg_catalog.pg_try_advisory_lock($1, $2) THEN true
            WHEN pg_catalog.set_config('lock_timeout', $3, true) IS NULL THEN NULL
            ELSE pg_catalog.pg_advisory_lock($1, $2) IS NULL
        END
        """;

    private const string BeginAnewSql = "ROLLBACK AND CHAIN";

    private const string KeepSql = "SELECT pg_catalog.pg_advisory_xact_lock($1, $2), pg_catalog.pg_advisory_unlock($1, $2)";

    // To unlock what is not held is a warning, which applications log.
    private const string ReleaseSql = """
        SELECT pg_catalog.pg_advisory_unlock($1, $2) FROM pg_catalog.pg_locks
        WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid() AND granted AND objsubid = 2
        AND classid = $1::pg_catalog.int8::pg_catalog.oid AND objid = ($2::pg_catalog.int8 & 4294967295)::pg_catalog.oid
        """;

    /// <summary>Waits for the lock in front of a transaction's first statement.</summary>
    internal LaneLockResult Take(DbCommand command, int lane)
    {
        if (!MayTake(command))
        {
            return LaneLockResult.Refused;
        }

        var connection = (NpgsqlConnection)command.Connection!;
        var since = Begin(connection);
        try
        {
            using var batch = Batch(connection, AdmissionGate.LongestWait, Wait(lane), new(BeginAnewSql), Keep(lane));
            return Taken(batch.ExecuteScalar(), since);
        }
        catch (Exception exception) when (!connection.IsGone())
        {
            Release(connection, lane);
            if (LaneLockRule.Result(exception) is { } result)
            {
                return result;
            }

            throw;
        }
        finally
        {
            RetryInstruments.QueueGrew(-1);
        }
    }

    /// <inheritdoc cref="Take"/>
    internal async ValueTask<LaneLockResult> TakeAsync(DbCommand command, int lane, CancellationToken cancellationToken)
    {
        if (!MayTake(command))
        {
            return LaneLockResult.Refused;
        }

        var connection = (NpgsqlConnection)command.Connection!;
        var since = Begin(connection);
        try
        {
            var batch = Batch(connection, AdmissionGate.LongestWait, Wait(lane), new(BeginAnewSql), Keep(lane));
            await using (batch.ConfigureAwait(false))
            {
                return Taken(await batch.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false), since);
            }
        }
        catch (Exception exception) when (!connection.IsGone())
        {
            await ReleaseAsync(connection, lane).ConfigureAwait(false);
            if (LaneLockRule.Result(exception) is { } result)
            {
                return result;
            }

            throw;
        }
        finally
        {
            RetryInstruments.QueueGrew(-1);
        }
    }

    // A standby has locks of its own, and conflicts that none of them avoids.
    private static bool MayTake(DbCommand command)
        => command is NpgsqlCommand { Transaction: not null, Connection: { } connection }
            && ConnectorState.IsTransactionPending(connection)
            && TransactionQueries.KnowsStatus(connection)
            && HostRoles.Reported(connection) is not HostRole.Standby;

    private long Begin(NpgsqlConnection connection)
    {
        RetryInstruments.QueueGrew(1);
        watch.Sent(connection);
        return time.GetTimestamp();
    }

    private LaneLockResult Taken(object? wasFree, long since)
    {
        watch.Answered();
        BeganAnew();
        if (wasFree is true)
        {
            return LaneLockResult.Free;
        }

        RetryInstruments.Queued(time.GetElapsedTime(since));
        return LaneLockResult.Waited;
    }

    private void Release(NpgsqlConnection connection, int lane)
    {
        try
        {
            using var batch = Batch(connection, CleanUpLimit, new(BeginAnewSql), Release(lane), new(BeginAnewSql));
            batch.ExecuteNonQuery();
            BeganAnew();
        }
        catch (Exception)
        {
            ConnectorState.BreakSocket(connection);
            throw;
        }
    }

    private async Task ReleaseAsync(NpgsqlConnection connection, int lane)
    {
        try
        {
            var batch = Batch(connection, CleanUpLimit, new(BeginAnewSql), Release(lane), new(BeginAnewSql));
            await using (batch.ConfigureAwait(false))
            {
                await batch.ExecuteNonQueryAsync(CancellationToken.None).ConfigureAwait(false);
            }

            BeganAnew();
        }
        catch (Exception)
        {
            ConnectorState.BreakSocket(connection);
            throw;
        }
    }

    // What was sent along with BEGIN ended with that transaction.
    private void BeganAnew() => (log.Connection?.CurrentTransaction as DbRetryTransaction)?.BeganAnew();

    private static NpgsqlBatch Batch(NpgsqlConnection connection, TimeSpan limit, params ReadOnlySpan<NpgsqlBatchCommand> commands)
    {
        // The server's own limit comes first.
        var batch = new NpgsqlBatch(connection) { Timeout = (int)(limit + CleanUpLimit).TotalSeconds };
        foreach (var command in commands)
        {
            batch.BatchCommands.Add(command);
        }

        return batch;
    }

    private static NpgsqlBatchCommand Wait(int lane)
    {
        var command = new NpgsqlBatchCommand(WaitSql) { Parameters = { Number(Space), Number(lane) } };
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = $"{AdmissionGate.LongestWait.TotalMilliseconds:0}" });
        return command;
    }

    private static NpgsqlBatchCommand Keep(int lane) => new(KeepSql) { Parameters = { Number(Space), Number(lane) } };

    private static NpgsqlBatchCommand Release(int lane) => new(ReleaseSql) { Parameters = { Number(Space), Number(lane) } };

    private static NpgsqlParameter<int> Number(int value) => new() { TypedValue = value };
}
