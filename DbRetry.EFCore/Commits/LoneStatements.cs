using System.Data.Common;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>
/// Puts a writing statement that EF would run on its own (ExecuteUpdate, ExecuteDelete, ExecuteSql) into a transaction, whose COMMIT can be verified: a
/// statement that commits itself leaves a doubt whenever its connection is lost.
/// </summary>
internal sealed class LoneStatements(ContextSettings context, AttemptLog log) : DbCommandInterceptor
{
    private IDbContextTransaction? _transaction;
    private DbCommand? _command;
    private bool _bare;
    private bool _wasInTransaction;

    /// <summary>Whether the statement failed only because it must not run in the transaction that it was put into; nothing was applied then.</summary>
    internal bool Refused(PostgresException exception)
        => _wasInTransaction
            && exception.SqlState is PostgresErrorCodes.ActiveSqlTransaction or PostgresErrorCodes.InvalidTransactionTermination;

    /// <summary>Whether a statement was put into a transaction of its own, which ends right behind it.</summary>
    internal bool IsAlone(DbCommand command) => ReferenceEquals(command, _command);

    /// <summary>Lets statements run as they are until the result is disposed.</summary>
    internal IDisposable RunBare() => new Bareness(this, log);

    public override InterceptionResult<int> NonQueryExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<int> result)
    {
        if (NeedsTransaction(command, eventData, result))
        {
            Begun(log.Connection!.BeginTransaction(), command);
        }

        return result;
    }

    public override async ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        if (NeedsTransaction(command, eventData, result))
        {
            Begun(await log.Connection!.BeginTransactionAsync(cancellationToken).ConfigureAwait(false), command);
        }

        return result;
    }

    public override int NonQueryExecuted(DbCommand command, CommandExecutedEventData eventData, int result)
    {
        if (Ending(command) is { } transaction)
        {
            using (transaction)
            {
                transaction.Commit();
            }
        }

        return result;
    }

    public override async ValueTask<int> NonQueryExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, int result, CancellationToken cancellationToken = default)
    {
        if (Ending(command) is { } transaction)
        {
            await using (transaction.ConfigureAwait(false))
            {
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        return result;
    }

    public override void CommandFailed(DbCommand command, CommandErrorEventData eventData) => Ending(command)?.Dispose();

    public override async Task CommandFailedAsync(DbCommand command, CommandErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        if (Ending(command) is { } transaction)
        {
            await transaction.DisposeAsync().ConfigureAwait(false);
        }
    }

    public override void CommandCanceled(DbCommand command, CommandEndEventData eventData) => Ending(command)?.Dispose();

    public override async Task CommandCanceledAsync(DbCommand command, CommandEndEventData eventData, CancellationToken cancellationToken = default)
    {
        if (Ending(command) is { } transaction)
        {
            await transaction.DisposeAsync().ConfigureAwait(false);
        }
    }

    // Not the statements of migrations: they say themselves which of them must run outside a transaction.
    private bool NeedsTransaction(DbCommand command, CommandEventData eventData, InterceptionResult<int> result)
    {
        _wasInTransaction = false;
        return !result.HasResult
            && !_bare
            && command.Transaction is null
            && context.Settings!.CommitVerification is CommitVerification.TransactionStatus or CommitVerification.Witness
            && eventData.CommandSource is CommandSource.ExecuteUpdate or CommandSource.ExecuteDelete or CommandSource.ExecuteSqlRaw
            && eventData.Context is { Database.AutoTransactionBehavior: not AutoTransactionBehavior.Never }
            && log.Connection is { } connection
            && ReferenceEquals(connection.DbConnection, command.Connection)
            && connection is not ITransactionEnlistmentManager { EnlistedTransaction: not null }
            && connection is not ITransactionEnlistmentManager { CurrentAmbientTransaction: not null }
            && StatementNature.MayWrite(eventData.CommandSource, command.CommandText);
    }

    private void Begun(IDbContextTransaction transaction, DbCommand command)
    {
        _transaction = transaction;
        _command = command;
        _wasInTransaction = true;
        command.Transaction = transaction.GetDbTransaction();
    }

    private IDbContextTransaction? Ending(DbCommand command)
    {
        if (!ReferenceEquals(command, _command))
        {
            return null;
        }

        var transaction = _transaction;
        _command = null;
        _transaction = null;
        return transaction;
    }

    private sealed class Bareness : IDisposable
    {
        private readonly LoneStatements _statements;
        private readonly AttemptLog _log;

        internal Bareness(LoneStatements statements, AttemptLog log)
        {
            _statements = statements;
            _log = log;
            statements._bare = true;
            log.IsBare = true;
        }

        public void Dispose() => _statements._bare = false;
    }
}
