using System.Data.Common;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>Owns COMMIT: after every interceptor of the application, and with the knowledge of what a failure there means.</summary>
internal sealed partial class DbRetryTransaction : RelationalTransaction
{
    private readonly DbTransaction _transaction;
    private readonly CommitGuard _guard;
    private readonly AttemptRecorder _recorder;
    private readonly ReopenRefusingConnection _owner;
    private readonly ISqlGenerationHelper _sql;

    [SuppressMessage("Usage", "CA2213:Disposable fields should be disposed", Justification = "It is EF's connection.")]
    private readonly NpgsqlConnection _connection;

    internal DbRetryTransaction(
        ReopenRefusingConnection connection,
        DbTransaction transaction,
        Guid transactionId,
        IDiagnosticsLogger<DbLoggerCategory.Database.Transaction> logger,
        bool transactionOwned,
        ISqlGenerationHelper sqlGenerationHelper,
        CommitGuard guard)
        : base(connection, transaction, transactionId, logger, transactionOwned, sqlGenerationHelper)
    {
        _transaction = transaction;
        _guard = guard;
        _recorder = connection.Recorder;
        _owner = connection;
        _sql = sqlGenerationHelper;

        // Taken at the beginning: NpgsqlTransaction.Connection throws once the connection is broken.
        _connection = (NpgsqlConnection)Connection.DbConnection;
    }

    // Committed or rolled back before: the driver says so. A transaction that was lost is still the current one (ReopenRefusingConnection).
    private bool IsOver => !ReferenceEquals(Connection.CurrentTransaction, this);

    public override void Commit()
    {
        if (IsOver)
        {
            base.Commit();
            return;
        }

        var start = DateTimeOffset.UtcNow;
        var stopwatch = Stopwatch.GetTimestamp();
        try
        {
            if (!Logger.TransactionCommitting(Connection, _transaction, TransactionId, start).IsSuppressed)
            {
                _owner.ReadRest();
                _guard.Commit(_connection, _transaction);
            }

            Logger.TransactionCommitted(Connection, _transaction, TransactionId, start, Stopwatch.GetElapsedTime(stopwatch));
        }
        catch (Exception exception)
        {
            Failed("Commit", exception, start, stopwatch);
            throw;
        }

        ClearTransaction();
    }

    public override async Task CommitAsync(CancellationToken cancellationToken = default)
    {
        if (IsOver)
        {
            await base.CommitAsync(cancellationToken).ConfigureAwait(false);
            return;
        }

        var start = DateTimeOffset.UtcNow;
        var stopwatch = Stopwatch.GetTimestamp();
        try
        {
            var interception = await Logger
                .TransactionCommittingAsync(Connection, _transaction, TransactionId, start, cancellationToken).ConfigureAwait(false);
            if (!interception.IsSuppressed)
            {
                await _owner.ReadRestAsync(cancellationToken).ConfigureAwait(false);
                await _guard.CommitAsync(_connection, _transaction, cancellationToken).ConfigureAwait(false);
            }

            await Logger.TransactionCommittedAsync(
                Connection, _transaction, TransactionId, start, Stopwatch.GetElapsedTime(stopwatch), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            await FailedAsync("Commit", exception, start, stopwatch, cancellationToken).ConfigureAwait(false);
            throw;
        }

        await ClearTransactionAsync(cancellationToken).ConfigureAwait(false);
    }

    public override void Rollback()
    {
        try
        {
            _owner.ReadRest();
            base.Rollback();
        }
        catch (Exception exception) when (Note(exception))
        {
            throw;
        }
    }

    public override async Task RollbackAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            await _owner.ReadRestAsync(cancellationToken).ConfigureAwait(false);
            await base.RollbackAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (Note(exception))
        {
            throw;
        }
    }

    private void Failed(string action, Exception exception, DateTimeOffset start, long stopwatch)
    {
        Logger.TransactionError(Connection, _transaction, TransactionId, action, exception, start, Stopwatch.GetElapsedTime(stopwatch));
        _recorder.TransactionFailed(exception);
    }

    private async Task FailedAsync(string action, Exception exception, DateTimeOffset start, long stopwatch, CancellationToken cancellationToken)
    {
        await Logger.TransactionErrorAsync(
            Connection, _transaction, TransactionId, action, exception, start, Stopwatch.GetElapsedTime(stopwatch), cancellationToken)
            .ConfigureAwait(false);
        _recorder.TransactionFailed(exception);
    }

    private bool Note(Exception exception)
    {
        _recorder.TransactionFailed(exception);
        return true;
    }
}
