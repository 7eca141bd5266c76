using System.Data.Common;
using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>Lets DbRetry own the COMMIT of every transaction that EF begins.</summary>
internal sealed class DbRetryTransactionFactory(RelationalTransactionFactoryDependencies dependencies, TimeProvider time)
    : RelationalTransactionFactory(dependencies)
{
    public override RelationalTransaction Create(
        IRelationalConnection connection,
        DbTransaction transaction,
        Guid transactionId,
        IDiagnosticsLogger<DbLoggerCategory.Database.Transaction> logger,
        bool transactionOwned)
    {
        if (connection is not ReopenRefusingConnection { IsGuarded: true } guarded)
        {
            return base.Create(connection, transaction, transactionId, logger, transactionOwned);
        }

        guarded.Log.BeginTransaction();
        guarded.Log.Use((NpgsqlConnection)connection.DbConnection, time.GetTimestamp());
        return new DbRetryTransaction(
            guarded, transaction, transactionId, logger, transactionOwned, Dependencies.SqlGenerationHelper, guarded.Guard);
    }
}
