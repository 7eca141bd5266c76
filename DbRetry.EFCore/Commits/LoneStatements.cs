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
/// <remarks><see cref="Seams.AttemptCommandLogger"/> tells it of commands.</remarks>
internal sealed class LoneStatements(ContextSettings context, AttemptLog log)
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

    /// <summary>Puts a statement that is about to be sent into a transaction, if it needs one.</summary>
    internal void Begin(DbCommand command, CommandSource source, DbContext? executing)
    {
        if (NeedsTransaction(command, source, executing))
        {
            Begun(log.Connection!.BeginTransaction(), command);
        }
    }

    /// <inheritdoc cref="Begin"/>
    internal ValueTask BeginAsync(DbCommand command, CommandSource source, DbContext? executing, CancellationToken cancellationToken)
    {
        return NeedsTransaction(command, source, executing) ? BeginAsync() : ValueTask.CompletedTask;

        async ValueTask BeginAsync()
            => Begun(await log.Connection!.BeginTransactionAsync(cancellationToken).ConfigureAwait(false), command);
    }

    /// <summary>Commits the transaction that a statement was put into.</summary>
    internal void Commit(DbCommand command)
    {
        if (Ending(command) is { } transaction)
        {
            using (transaction)
            {
                transaction.Commit();
            }
        }
    }

    /// <inheritdoc cref="Commit"/>
    internal ValueTask CommitAsync(DbCommand command, CancellationToken cancellationToken)
    {
        return Ending(command) is { } transaction ? CommitAsync(transaction) : ValueTask.CompletedTask;

        async ValueTask CommitAsync(IDbContextTransaction transaction)
        {
            await using (transaction.ConfigureAwait(false))
            {
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Ends the transaction that a statement was put into which failed or was cancelled.</summary>
    internal void RollBack(DbCommand command) => Ending(command)?.Dispose();

    /// <inheritdoc cref="RollBack"/>
    internal ValueTask RollBackAsync(DbCommand command) => Ending(command)?.DisposeAsync() ?? ValueTask.CompletedTask;

    // Not the statements of migrations: they say themselves which of them must run outside a transaction.
    private bool NeedsTransaction(DbCommand command, CommandSource source, DbContext? executing)
    {
        _wasInTransaction = false;
        return !_bare
            && command.Transaction is null
            && context.Settings!.CommitVerification is CommitVerification.TransactionStatus or CommitVerification.Witness
            && source is CommandSource.ExecuteUpdate or CommandSource.ExecuteDelete or CommandSource.ExecuteSqlRaw
            && executing is { Database.AutoTransactionBehavior: not AutoTransactionBehavior.Never }
            && log.Connection is { } connection
            && ReferenceEquals(connection.DbConnection, command.Connection)
            && connection is not ITransactionEnlistmentManager { EnlistedTransaction: not null }
            && connection is not ITransactionEnlistmentManager { CurrentAmbientTransaction: not null }
            && StatementNature.MayWrite(source, command.CommandText);
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
