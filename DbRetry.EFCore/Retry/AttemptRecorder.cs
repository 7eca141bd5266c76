using System.Data.Common;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Silence;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace DbRetry.EFCore.Retry;

/// <summary>Notes which statement an attempt is running and which failure broke its connection.</summary>
/// <remarks><see cref="Seams.AttemptCommandLogger"/> tells it of commands, <see cref="Commits.DbRetryTransaction"/> of transactions.</remarks>
internal sealed class AttemptRecorder(AttemptLog log, AnswerWatch watch, TimeProvider time)
{
    /// <summary>Whether a statement may have to wait before it is sent.</summary>
    internal bool MayHaveToWait => log.Admission is not null;

    /// <summary>A statement is made and may have to wait before it is sent.</summary>
    internal void Sending(DbCommand command) => log.Admission?.Send(command);

    /// <inheritdoc cref="Sending"/>
    internal ValueTask SendingAsync(DbCommand command, CancellationToken cancellationToken)
        => log.Admission?.SendAsync(command, cancellationToken) ?? ValueTask.CompletedTask;

    /// <summary>A statement is about to be sent.</summary>
    internal void Started(DbCommand command, CommandSource source)
    {
        if (command.Transaction is not null)
        {
            log.EnterStatementInTransaction(source, command.CommandText);
        }
        else
        {
            log.EnterLoneStatement(source, command.CommandText);
            if (command.Connection is NpgsqlConnection alone)
            {
                log.Use(alone, time.GetTimestamp());
            }
        }

        if (command.Connection is NpgsqlConnection connection)
        {
            watch.Sent(connection);
        }
    }

    /// <summary>A statement's answer has begun to arrive.</summary>
    internal void Answered() => watch.Answered();

    /// <summary>A statement without rows to read has been answered.</summary>
    internal void Finished()
    {
        watch.Answered();
        log.FinishStatement();
    }

    /// <summary>A result has been read as far as anybody wants.</summary>
    /// <remarks>
    /// A failure between two rows raises no event of its own; only the state of the connection shows it, and only until EF closes it. Closing reads what
    /// is left of the results, and a timeout there Npgsql keeps to itself (NpgsqlDataReader.Close): so this is called before and after.
    /// </remarks>
    internal void Read(DbCommand command)
    {
        if (command.Connection is NpgsqlConnection connection && connection.IsGone())
        {
            // In a transaction the next thing to surface may be a mere consequence, and there is no failure to judge it by but this.
            log.Lost(connection, command.Transaction is null ? null : TransactionLostException.BeforeCommit(log.Host, null));
        }
    }

    internal void Failed(DbCommand command, Exception exception)
    {
        if (command.Connection is not NpgsqlConnection connection)
        {
            return;
        }

        if (IsGone(connection, exception))
        {
            log.Lost(connection, exception);
            if (exception is PostgresException { SqlState: PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown })
            {
                watch.Ended();
            }
        }
        else if (exception is PostgresException { SqlState: not PostgresErrorCodes.InFailedSqlTransaction } error)
        {
            log.FailureInTransaction = error;
            if (error.SqlState == PostgresErrorCodes.ReadOnlySqlTransaction)
            {
                // That it reports a primary may be what a pooler remembers.
                log.ServerIsReadOnly = HostRoles.Reported(connection) is HostRole.Standby or HostRole.ReadOnlyPrimary ? true
                    : log.IsProvenPrimary || log.MayBeReadOnly ? false
                    : null;
            }
        }
    }

    /// <summary>A transaction could not be committed, rolled back, or given or freed of a savepoint.</summary>
    /// <remarks>EF swallows a failed RELEASE SAVEPOINT, and no command event tells of it: this is the only sign of the loss.</remarks>
    internal void TransactionFailed(Exception exception)
    {
        // The transaction itself no longer knows its connection once that is broken.
        if (log.Connection?.DbConnection is NpgsqlConnection connection && IsGone(connection, exception))
        {
            log.Lost(connection, exception);
        }
    }

    private static bool IsGone(NpgsqlConnection connection, Exception exception)
    {
        if (ClientShapes.IsHalfDead(exception) && !connection.IsGone())
        {
            // Neither the next attempt nor, through the pool, anybody else may be given it.
            NpgsqlConnection.ClearPool(connection);
            connection.Close();
        }

        return connection.IsGone();
    }
}
