using System.Data.Common;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Hosts.Silence;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace DbRetry.EFCore.Retry;

/// <summary>Notes which statement an attempt is running and which failure broke its connection.</summary>
internal sealed class AttemptRecorder(AttemptLog log, AnswerWatch watch, TimeProvider time) : DbCommandInterceptor, IDbTransactionInterceptor
{
    public override InterceptionResult<DbDataReader> ReaderExecuting(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result)
    {
        Started(command, eventData);
        return result;
    }

    public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
        Started(command, eventData);
        return ValueTask.FromResult(result);
    }

    public override InterceptionResult<object> ScalarExecuting(
        DbCommand command, CommandEventData eventData, InterceptionResult<object> result)
    {
        Started(command, eventData);
        return result;
    }

    public override ValueTask<InterceptionResult<object>> ScalarExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<object> result, CancellationToken cancellationToken = default)
    {
        Started(command, eventData);
        return ValueTask.FromResult(result);
    }

    public override InterceptionResult<int> NonQueryExecuting(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result)
    {
        Started(command, eventData);
        return result;
    }

    public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        Started(command, eventData);
        return ValueTask.FromResult(result);
    }

    public override int NonQueryExecuted(DbCommand command, CommandExecutedEventData eventData, int result)
    {
        Finished();
        return result;
    }

    public override ValueTask<int> NonQueryExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, int result, CancellationToken cancellationToken = default)
    {
        Finished();
        return ValueTask.FromResult(result);
    }

    public override object? ScalarExecuted(DbCommand command, CommandExecutedEventData eventData, object? result)
    {
        Finished();
        return result;
    }

    public override ValueTask<object?> ScalarExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, object? result, CancellationToken cancellationToken = default)
    {
        Finished();
        return ValueTask.FromResult(result);
    }

    public override DbDataReader ReaderExecuted(DbCommand command, CommandExecutedEventData eventData, DbDataReader result)
    {
        watch.Answered();
        return result;
    }

    public override ValueTask<DbDataReader> ReaderExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default)
    {
        watch.Answered();
        return ValueTask.FromResult(result);
    }

    public override InterceptionResult DataReaderClosing(DbCommand command, DataReaderClosingEventData eventData, InterceptionResult result)
    {
        Read(command);
        return result;
    }

    public override ValueTask<InterceptionResult> DataReaderClosingAsync(
        DbCommand command, DataReaderClosingEventData eventData, InterceptionResult result)
    {
        Read(command);
        return ValueTask.FromResult(result);
    }

    // Closing reads what is left of the results, and a timeout there Npgsql keeps to itself (NpgsqlDataReader.Close).
    public override InterceptionResult DataReaderDisposing(DbCommand command, DataReaderDisposingEventData eventData, InterceptionResult result)
    {
        Read(command);
        return result;
    }

    public override void CommandFailed(DbCommand command, CommandErrorEventData eventData) => Failed(command, eventData.Exception);

    public override Task CommandFailedAsync(
        DbCommand command, CommandErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        Failed(command, eventData.Exception);
        return Task.CompletedTask;
    }

    // EF swallows a failed RELEASE SAVEPOINT, and no command event tells of it: this is the only sign of the loss.
    public void TransactionFailed(DbTransaction transaction, TransactionErrorEventData eventData) => TransactionFailed(eventData.Exception);

    public Task TransactionFailedAsync(
        DbTransaction transaction, TransactionErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        TransactionFailed(eventData.Exception);
        return Task.CompletedTask;
    }

    private void Started(DbCommand command, CommandEventData eventData)
    {
        if (command.Transaction is not null)
        {
            log.EnterStatementInTransaction(eventData.CommandSource, command.CommandText);
        }
        else
        {
            log.EnterLoneStatement(eventData.CommandSource, command.CommandText);
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

    private void Finished()
    {
        watch.Answered();
        log.FinishStatement();
    }

    // A failure between two rows raises no event of its own; only the state of the connection shows it, and only until EF closes it.
    private void Read(DbCommand command)
    {
        if (command.Connection is NpgsqlConnection connection && connection.IsGone())
        {
            // In a transaction the next thing to surface may be a mere consequence, and there is no failure to judge it by but this.
            log.Lost(connection, command.Transaction is null ? null : TransactionLostException.BeforeCommit(log.Host, null));
        }
    }

    private void Failed(DbCommand command, Exception exception)
    {
        if (command.Connection is not NpgsqlConnection connection)
        {
            return;
        }

        if (IsGone(connection, exception))
        {
            log.Lost(connection, exception);
        }
        else if (exception is PostgresException { SqlState: not PostgresErrorCodes.InFailedSqlTransaction } error)
        {
            log.FailureInTransaction = error;
            if (error.SqlState == PostgresErrorCodes.ReadOnlySqlTransaction)
            {
                log.ServerIsReadOnly = HostRoles.Reported(connection) is { } role ? role is not HostRole.Primary : null;
            }
        }
    }

    private void TransactionFailed(Exception exception)
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
