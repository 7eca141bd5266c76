using System.Data;
using DbRetry.EFCore.Hosts.Targets;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace DbRetry.EFCore.Transactions;

/// <summary>The scopes of one context: begins new ones, in the transaction that is open or in one of their own.</summary>
internal sealed class OpenScopes(ContextSettings settings, AttemptLog log, SessionTargets targets, ICurrentDbContext current) : IResettableService
{
    private ScopeChain? _chain;
    private IScopeTransaction? _transaction;

    /// <summary>Whether a scope of this context is open.</summary>
    internal bool IsAny => _chain is { IsOver: false } && _transaction!.IsCurrent;

    internal DbContext Context => current.Context;

    /// <exception cref="InvalidOperationException">The context was configured without DbRetry.</exception>
    internal static OpenScopes Of(DatabaseFacade database)
        => ((IInfrastructure<IServiceProvider>)database).Instance.GetService<OpenScopes>() is { IsConfigured: true } scopes
            ? scopes
            : throw new InvalidOperationException(
                "Transaction scopes need DbRetry, which this context was configured without. Call UseDbRetry() beside UseNpgsql(…).");

    internal DbRetryTransactionScope Begin(IsolationLevel? level, TransactionScopeMode mode)
    {
        if (Join(level, mode) is { } joined)
        {
            return joined;
        }

        using var execution = targets.Execute(mode is TransactionScopeMode.ReadWrite ? WriteIntent.Possible : WriteIntent.None);
        var transaction = ScopeRules.LevelToBegin(level, mode) is { } given ? Database.BeginTransaction(given) : Database.BeginTransaction();
        try
        {
            if (SetMode(transaction, mode) is { } command)
            {
                using (command)
                {
                    command.ExecuteNonQuery();
                }
            }
        }
        catch (Exception exception)
        {
            NoteLoss(exception);
            transaction.Dispose();
            throw;
        }

        return Enter(transaction, mode);
    }

    internal async Task<DbRetryTransactionScope> BeginAsync(
        IsolationLevel? level, TransactionScopeMode mode, CancellationToken cancellationToken)
    {
        if (Join(level, mode) is { } joined)
        {
            return joined;
        }

        using var execution = targets.Execute(mode is TransactionScopeMode.ReadWrite ? WriteIntent.Possible : WriteIntent.None);
        var transaction = ScopeRules.LevelToBegin(level, mode) is { } given
            ? await Database.BeginTransactionAsync(given, cancellationToken).ConfigureAwait(false)
            : await Database.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (SetMode(transaction, mode) is { } command)
            {
                await using (command.ConfigureAwait(false))
                {
                    await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (Exception exception)
        {
            NoteLoss(exception);
            await transaction.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        return Enter(transaction, mode);
    }

    void IResettableService.ResetState() => _chain = null;

    Task IResettableService.ResetStateAsync(CancellationToken cancellationToken)
    {
        _chain = null;
        return Task.CompletedTask;
    }

    private DatabaseFacade Database => current.Context.Database;

    private bool IsConfigured => settings.Settings is not null;

    // A transaction that is open already is taken part in, whoever began it.
    private DbRetryTransactionScope? Join(IsolationLevel? level, TransactionScopeMode mode)
    {
        _ = ScopeRules.LevelToBegin(level, mode);
        if (!IsAny)
        {
            if (Database.CurrentTransaction is { } open)
            {
                Adopt(open);
            }
            else if (Ambient() is { } ambient)
            {
                _chain = new ScopeChain(Enum.Parse<IsolationLevel>(ambient.IsolationLevel.ToString()), TransactionScopeMode.ReadWrite);
                _transaction = new AmbientTransaction(ambient);
            }
            else
            {
                return null;
            }
        }

        return ScopeRules.WhyNotJoin(level, mode, _chain!.Level, _chain.Mode) is { } why
            ? throw new InvalidOperationException(why)
            : Enter();
    }

    private void Adopt(IDbContextTransaction open)
    {
        log.ThrowIfOver((NpgsqlConnection)Database.GetDbConnection());
        var level = open.GetDbTransaction().IsolationLevel;
        _transaction = new AdoptedTransaction(Database, open);
        _chain = new ScopeChain(level, TransactionScopeMode.ReadWrite);
    }

    private System.Transactions.Transaction? Ambient()
        => log.Connection is ITransactionEnlistmentManager manager ? manager.EnlistedTransaction ?? manager.CurrentAmbientTransaction : null;

    private DbRetryTransactionScope Enter(IDbContextTransaction transaction, TransactionScopeMode mode)
    {
        _transaction = new OwnTransaction(Database, transaction);
        _chain = new ScopeChain(transaction.GetDbTransaction().IsolationLevel, mode);
        return Enter();
    }

    private DbRetryTransactionScope Enter()
    {
        var scope = new DbRetryTransactionScope(_chain!, _transaction!);
        _chain!.Enter(scope);
        return scope;
    }

    // Past EF: for its interceptors, and for the question of what was written, this is a part of BEGIN.
    private NpgsqlCommand? SetMode(IDbContextTransaction transaction, TransactionScopeMode mode)
    {
        if (mode is TransactionScopeMode.ReadWrite)
        {
            return null;
        }

        log.MayBeReadOnly = true;
        var begun = (NpgsqlTransaction)transaction.GetDbTransaction();
        var command = begun.Connection!.CreateCommand();
        command.Transaction = begun;
        command.CommandText = "SET TRANSACTION READ ONLY";
        if (mode is TransactionScopeMode.ReadOnlyDeferrable)
        {
            command.CommandText = "SET TRANSACTION READ ONLY, DEFERRABLE";
        }

        return command;
    }

    private void NoteLoss(Exception exception)
    {
        if (Database.GetDbConnection() is NpgsqlConnection connection)
        {
            log.NoteLoss(connection, exception);
        }
    }
}
