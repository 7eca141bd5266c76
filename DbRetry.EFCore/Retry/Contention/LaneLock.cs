using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Diagnostics;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Silence;
using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace DbRetry.EFCore.Retry.Contention;

/// <summary>A lane of all processes: an advisory lock that a transaction holds from before its snapshot to its end.</summary>
/// <remarks>
/// <para>
/// Who waits for it with a snapshot has lost when it gets it, but every statement that asks for it takes one. So the session takes the lock, the transaction
/// begins anew (with its isolation level and mode), takes the same lock, which is free for its own session, and the session gives it back. From then on
/// COMMIT, ROLLBACK and the end of the session free it (ServerBehavior/AdvisoryLockFacts). All of it is sent along with BEGIN and the first statement, which
/// the server goes on to run as soon as it has granted the lock: while it is held, no answer to it is on its way. It is taken only where nothing was done in
/// the transaction yet.
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

    private const string BeginAnewSql = "ROLLBACK AND CHAIN";

    // The limit of the wait is set only by who has to wait, and ends with the transaction that waits.
    private const string TakeSql = $"""
        SELECT CASE
            WHEN pg_catalog.pg_try_advisory_lock(@dbretry_space, @dbretry_lane) THEN true
            WHEN pg_catalog.set_config('lock_timeout', @dbretry_limit, true) IS NULL THEN false
            ELSE pg_catalog.pg_advisory_lock(@dbretry_space, @dbretry_lane) IS NULL
        END;
        {BeginAnewSql};
        SELECT pg_catalog.pg_advisory_xact_lock(@dbretry_space, @dbretry_lane), pg_catalog.pg_advisory_unlock(@dbretry_space, @dbretry_lane);

        """;

    // To unlock what is not held is a warning, which applications log.
    private const string ReleaseSql = """
        SELECT pg_catalog.pg_advisory_unlock($1, $2) FROM pg_catalog.pg_locks
        WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid() AND granted AND objsubid = 2
        AND classid = $1::pg_catalog.int8::pg_catalog.oid AND objid = ($2::pg_catalog.int8 & 4294967295)::pg_catalog.oid
        """;

    private DbRetryTransaction? Transaction => log.Connection?.CurrentTransaction as DbRetryTransaction;

    /// <summary>Takes the lock of the running attempt, if it has to, and runs the statement that is about to be sent behind it, if that can go along.</summary>
    /// <param name="command">The statement.</param>
    /// <param name="source">Whose it is.</param>
    /// <param name="along">Whether the caller would take its results.</param>
    /// <returns>Its results; <see langword="null"/> if it is yet to be run.</returns>
    internal DbDataReader? Execute(DbCommand command, CommandSource source, bool along)
    {
        if (Lane(command, source) is not { } lane)
        {
            return null;
        }

        var connection = (NpgsqlConnection)command.Connection!;
        along = along && MayGoAlong(command, source);
        var since = Begin();
        NpgsqlDataReader? reader = null;
        var isTaken = false;
        try
        {
            reader = Command(command, along, lane).ExecuteReader();
            var wasFree = reader.Read() && reader.GetBoolean(0);
            isTaken = reader.NextResult() && reader.Read();
            Taken(wasFree, since);
            reader.NextResult();
            if (along)
            {
                return reader;
            }

            reader.Close();
            watch.Sent(connection);
            return null;
        }
        catch (Exception exception) when (!connection.IsGone())
        {
            reader?.Close();
            if (!isTaken)
            {
                Release(connection, lane);
                if (GoesOnWithout(exception, connection))
                {
                    return null;
                }
            }

            throw;
        }
        finally
        {
            RetryInstruments.QueueGrew(-1);
        }
    }

    /// <inheritdoc cref="Execute"/>
    internal ValueTask<DbDataReader?> ExecuteAsync(DbCommand command, CommandSource source, bool along, CancellationToken cancellationToken)
    {
        return Lane(command, source) is { } lane ? ExecuteAsync((NpgsqlConnection)command.Connection!, lane) : default;

        async ValueTask<DbDataReader?> ExecuteAsync(NpgsqlConnection connection, int lane)
        {
            along = along && MayGoAlong(command, source);
            var since = Begin();
            NpgsqlDataReader? reader = null;
            var isTaken = false;
            try
            {
                reader = await Command(command, along, lane).ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                var wasFree = await reader.ReadAsync(cancellationToken).ConfigureAwait(false) && reader.GetBoolean(0);
                isTaken = await reader.NextResultAsync(cancellationToken).ConfigureAwait(false)
                    && await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                Taken(wasFree, since);
                await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                if (along)
                {
                    return reader;
                }

                await reader.CloseAsync().ConfigureAwait(false);
                watch.Sent(connection);
                return null;
            }
            catch (Exception exception) when (!connection.IsGone())
            {
                if (reader is not null)
                {
                    await reader.CloseAsync().ConfigureAwait(false);
                }

                if (!isTaken)
                {
                    await ReleaseAsync(connection, lane).ConfigureAwait(false);
                    if (GoesOnWithout(exception, connection))
                    {
                        return null;
                    }
                }

                throw;
            }
            finally
            {
                RetryInstruments.QueueGrew(-1);
            }
        }
    }

    private int? Lane(DbCommand command, CommandSource source)
    {
        if (log.Admission is not { Lock: { } lane } admission)
        {
            return null;
        }

        if (MayTake(command, source))
        {
            return lane;
        }

        admission.Took(LaneLockResult.Refused);
        return null;
    }

    // A standby has locks of its own, and conflicts that none of them avoids.
    private static bool MayTake(DbCommand command, CommandSource source)
        => command is NpgsqlCommand { Transaction: not null, Connection: { } connection }
            && ConnectorState.IsTransactionPending(connection)
            && TransactionQueries.KnowsStatus(connection)
            && HostRoles.Reported(connection) is not HostRole.Standby
            && CommandStatements.AreSplit
            && StatementNature.TakesSnapshot(source, command.CommandText);

    // EF's provider counts the statements of a save. What is read from a stream is gone if it has to be sent again.
    private static bool MayGoAlong(DbCommand command, CommandSource source)
        => source is not CommandSource.SaveChanges
            && command is NpgsqlCommand text
            && CommandStatements.MayBeAddedTo(text)
            && text.Parameters.All(static parameter => parameter.Value is not (Stream or TextReader));

    private long Begin()
    {
        RetryInstruments.QueueGrew(1);
        return time.GetTimestamp();
    }

    // Behind it, the rest of the results is that of the statement.
    private void Taken(bool wasFree, long since)
    {
        watch.Answered();
        log.Admission!.Took(wasFree ? LaneLockResult.Free : LaneLockResult.Waited);
        if (!wasFree)
        {
            RetryInstruments.Queued(time.GetElapsedTime(since));
        }
    }

    private bool GoesOnWithout(Exception exception, NpgsqlConnection connection)
    {
        if (LaneLockRule.Result(exception) is not { } result)
        {
            return false;
        }

        log.Admission!.Took(result);
        watch.Sent(connection);
        return true;
    }

    // The server's own limit comes first. Its answer comes with that of the statement that goes along, and takes none of its time.
    [SuppressMessage("Security", "CA2100", Justification = "Constants are put in front of the text that is about to run anyway.")]
    private NpgsqlCommand Command(DbCommand first, bool along, int lane)
    {
        var command = along ? ((NpgsqlCommand)first).Clone()
            : new NpgsqlCommand("", (NpgsqlConnection)first.Connection!) { CommandTimeout = (int)CleanUpLimit.TotalSeconds };
        command.CommandText = $"{TakeSql}{Transaction?.SavepointStatements()}{command.CommandText}";
        command.CommandTimeout += command.CommandTimeout == 0 ? 0 : (int)AdmissionGate.LongestWait.TotalSeconds;
        command.Parameters.Add(new NpgsqlParameter<int>("dbretry_space", Space));
        command.Parameters.Add(new NpgsqlParameter<int>("dbretry_lane", lane));
        command.Parameters.Add(new NpgsqlParameter<string>("dbretry_limit", $"{AdmissionGate.LongestWait.TotalMilliseconds:0}"));
        return command;
    }

    private void Release(NpgsqlConnection connection, int lane)
    {
        try
        {
            using var batch = CleanUp(connection, lane);
            batch.ExecuteNonQuery();
            Transaction?.BeganAnew(); // What was sent along with BEGIN ended with that transaction.
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
            var batch = CleanUp(connection, lane);
            await using (batch.ConfigureAwait(false))
            {
                await batch.ExecuteNonQueryAsync(CancellationToken.None).ConfigureAwait(false);
            }

            Transaction?.BeganAnew();
        }
        catch (Exception)
        {
            ConnectorState.BreakSocket(connection);
            throw;
        }
    }

    private static NpgsqlBatch CleanUp(NpgsqlConnection connection, int lane)
        => new(connection)
        {
            Timeout = (int)CleanUpLimit.TotalSeconds,
            BatchCommands =
            {
                new NpgsqlBatchCommand(BeginAnewSql),
                new NpgsqlBatchCommand(ReleaseSql)
                {
                    Parameters = { new NpgsqlParameter<int> { TypedValue = Space }, new NpgsqlParameter<int> { TypedValue = lane } },
                },
                new NpgsqlBatchCommand(BeginAnewSql),
            },
        };
}
