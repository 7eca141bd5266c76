using System.Data;
using System.Data.Common;
using System.Diagnostics;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>Owns COMMIT: after every interceptor of the application, and with the knowledge of what a failure there means.</summary>
internal sealed class DbRetryTransaction(
    IRelationalConnection connection,
    DbTransaction transaction,
    Guid transactionId,
    IDiagnosticsLogger<DbLoggerCategory.Database.Transaction> logger,
    bool transactionOwned,
    ISqlGenerationHelper sqlGenerationHelper,
    AttemptLog log)
    : RelationalTransaction(connection, transaction, transactionId, logger, transactionOwned, sqlGenerationHelper)
{
    // Taken at the beginning: NpgsqlTransaction.Connection throws once the connection is broken.
    private readonly NpgsqlConnection _npgsql = (NpgsqlConnection)connection.DbConnection;

    public override void Commit()
    {
        var start = DateTimeOffset.UtcNow;
        var stopwatch = Stopwatch.GetTimestamp();
        try
        {
            if (!Logger.TransactionCommitting(Connection, transaction, TransactionId, start).IsSuppressed)
            {
                BeginCommit();
                try
                {
                    transaction.Commit();
                }
                catch (Exception exception) when (IsInDoubt())
                {
                    throw OutcomeUnknown(exception);
                }

                log.Enter(AttemptPhase.None);
            }

            Logger.TransactionCommitted(Connection, transaction, TransactionId, start, Stopwatch.GetElapsedTime(stopwatch));
        }
        catch (Exception exception)
        {
            Logger.TransactionError(Connection, transaction, TransactionId, "Commit", exception, start, Stopwatch.GetElapsedTime(stopwatch));
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
                .TransactionCommittingAsync(Connection, transaction, TransactionId, start, cancellationToken).ConfigureAwait(false);
            if (!interception.IsSuppressed)
            {
                BeginCommit();
                try
                {
                    await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                }
                catch (Exception exception) when (IsInDoubt())
                {
                    throw OutcomeUnknown(exception);
                }

                log.Enter(AttemptPhase.None);
            }

            await Logger.TransactionCommittedAsync(
                Connection, transaction, TransactionId, start, Stopwatch.GetElapsedTime(stopwatch), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            await Logger.TransactionErrorAsync(
                Connection, transaction, TransactionId, "Commit", exception, start, Stopwatch.GetElapsedTime(stopwatch), cancellationToken)
                .ConfigureAwait(false);
            throw;
        }

        await ClearTransactionAsync(cancellationToken).ConfigureAwait(false);
    }

    private void BeginCommit()
    {
        // A connection that was lost before COMMIT left no doubt: the server rolls back what it was never asked to commit.
        if (_npgsql.FullState is not ConnectionState.Open)
        {
            throw TransactionLost.Error(log.Host, log.ConnectionLoss);
        }

        log.Enter(AttemptPhase.Committing);
    }

    // A connection that is still open means that the server answered, and so did not commit (ServerBehavior/CommitFaults).
    private bool IsInDoubt() => _npgsql.FullState is not ConnectionState.Open;

    private CommitOutcomeUnknownException OutcomeUnknown(Exception exception)
    {
        log.Lost(exception);
        return new CommitOutcomeUnknownException(log.Host?.ToString(), exception);
    }
}
