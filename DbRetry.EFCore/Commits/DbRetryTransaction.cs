using System.Data.Common;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>Owns COMMIT: after every interceptor of the application, and with the knowledge of what a failure there means.</summary>
internal sealed class DbRetryTransaction : RelationalTransaction
{
    private readonly DbTransaction _transaction;
    private readonly AttemptLog _log;

    [SuppressMessage("Usage", "CA2213:Disposable fields should be disposed", Justification = "It is EF's connection.")]
    private readonly NpgsqlConnection _connection;

    internal DbRetryTransaction(
        IRelationalConnection connection,
        DbTransaction transaction,
        Guid transactionId,
        IDiagnosticsLogger<DbLoggerCategory.Database.Transaction> logger,
        bool transactionOwned,
        ISqlGenerationHelper sqlGenerationHelper,
        AttemptLog log)
        : base(connection, transaction, transactionId, logger, transactionOwned, sqlGenerationHelper)
    {
        _transaction = transaction;
        _log = log;

        // Taken at the beginning: NpgsqlTransaction.Connection throws once the connection is broken.
        _connection = (NpgsqlConnection)connection.DbConnection;
    }

    public override void Commit()
    {
        var start = DateTimeOffset.UtcNow;
        var stopwatch = Stopwatch.GetTimestamp();
        try
        {
            if (!Logger.TransactionCommitting(Connection, _transaction, TransactionId, start).IsSuppressed)
            {
                BeginCommit();
                try
                {
                    _transaction.Commit();
                }
                catch (Exception exception) when (IsInDoubt(exception))
                {
                    throw OutcomeUnknown(exception);
                }

                _log.Enter(AttemptPhase.None);
            }

            Logger.TransactionCommitted(Connection, _transaction, TransactionId, start, Stopwatch.GetElapsedTime(stopwatch));
        }
        catch (Exception exception)
        {
            Logger.TransactionError(Connection, _transaction, TransactionId, "Commit", exception, start, Stopwatch.GetElapsedTime(stopwatch));
            throw;
        }

        ClearTransaction();
    }

    public override async Task CommitAsync(CancellationToken cancellationToken = default)
    {
        var start = DateTimeOffset.UtcNow;
        var stopwatch = Stopwatch.GetTimestamp();
        try
        {
            var interception = await Logger
                .TransactionCommittingAsync(Connection, _transaction, TransactionId, start, cancellationToken).ConfigureAwait(false);
            if (!interception.IsSuppressed)
            {
                BeginCommit();
                try
                {
                    await _transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                }
                catch (Exception exception) when (IsInDoubt(exception))
                {
                    throw OutcomeUnknown(exception);
                }

                _log.Enter(AttemptPhase.None);
            }

            await Logger.TransactionCommittedAsync(
                Connection, _transaction, TransactionId, start, Stopwatch.GetElapsedTime(stopwatch), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            await Logger.TransactionErrorAsync(
                Connection, _transaction, TransactionId, "Commit", exception, start, Stopwatch.GetElapsedTime(stopwatch), cancellationToken)
                .ConfigureAwait(false);
            throw;
        }

        await ClearTransactionAsync(cancellationToken).ConfigureAwait(false);
    }

    private void BeginCommit()
    {
        // A connection that was lost before COMMIT left no doubt: the server rolls back what it was never asked to commit.
        if (_connection.IsGone())
        {
            throw TransactionLost.Error(_log.Host, _log.ConnectionLoss);
        }

        _log.Enter(AttemptPhase.Committing);
    }

    // A connection that is still open, or an error from the server itself, is an answer: it did not commit (ServerBehavior/CommitFaultsTests).
    private bool IsInDoubt(Exception exception)
        => _connection.IsGone()
            && exception is not PostgresException { SqlState: not SqlStateTable.ProtocolViolation };

    private CommitOutcomeUnknownException OutcomeUnknown(Exception exception)
    {
        _log.Lost(exception);
        return new CommitOutcomeUnknownException(_log.Host?.ToString(), exception);
    }
}
