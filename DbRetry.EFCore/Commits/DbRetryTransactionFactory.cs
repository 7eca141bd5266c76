using System.Data.Common;
using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbRetry.EFCore.Commits;

/// <summary>Lets DbRetry own the COMMIT of every transaction that EF begins.</summary>
internal sealed class DbRetryTransactionFactory(RelationalTransactionFactoryDependencies dependencies) : RelationalTransactionFactory(dependencies)
{
    public override RelationalTransaction Create(
        IRelationalConnection connection,
        DbTransaction transaction,
        Guid transactionId,
        IDiagnosticsLogger<DbLoggerCategory.Database.Transaction> logger,
        bool transactionOwned)
        => connection is ReopenRefusingConnection { IsGuarded: true } guarded
            ? new DbRetryTransaction(guarded, transaction, transactionId, logger, transactionOwned, Dependencies.SqlGenerationHelper, guarded.Log)
            : base.Create(connection, transaction, transactionId, logger, transactionOwned);
}
