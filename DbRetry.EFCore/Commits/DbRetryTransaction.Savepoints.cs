using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <content>Savepoints. EF's own, around each save in a transaction, take no round trips.</content>
/// <remarks>
/// Statements that are sent along with the next one are run in the same order, and their answers are read before its own. Npgsql breaks the connection if one
/// fails (ServerBehavior/SavepointFacts), so only those are sent along that cannot fail: in a transaction that the server lets go on, and for the release of
/// a savepoint that is there.
/// </remarks>
internal sealed partial class DbRetryTransaction
{
    // EFCore.Relational/Update/Internal/BatchExecutor.cs. Other names may need quotes where Npgsql sets none: key words.
    private const string SavepointOfSave = "__EFSavePoint";

    private static readonly byte[] ReleaseOfSave = ConnectorState.Query($"RELEASE SAVEPOINT \"{SavepointOfSave}\"");

    // Whether the savepoint of the running save is there.
    private bool _isSaving;

    // The savepoints that are sent along with BEGIN.
    private List<string>? _begunWith;

    public override void CreateSavepoint(string name)
    {
        var start = DateTimeOffset.UtcNow;
        var stopwatch = Stopwatch.GetTimestamp();
        try
        {
            _owner.ReadRest();
            if (!Logger.CreatingTransactionSavepoint(Connection, _transaction, TransactionId, start).IsSuppressed && !CreateAlong(name))
            {
                Send(_sql.GenerateCreateSavepointStatement(name));
            }

            Logger.CreatedTransactionSavepoint(Connection, _transaction, TransactionId, start);
        }
        catch (Exception exception)
        {
            Failed("CreateSavepoint", exception, start, stopwatch);
            throw;
        }
    }

    public override async Task CreateSavepointAsync(string name, CancellationToken cancellationToken = default)
    {
        var start = DateTimeOffset.UtcNow;
        var stopwatch = Stopwatch.GetTimestamp();
        try
        {
            await _owner.ReadRestAsync(cancellationToken).ConfigureAwait(false);
            var interception = await Logger
                .CreatingTransactionSavepointAsync(Connection, _transaction, TransactionId, start, cancellationToken).ConfigureAwait(false);
            if (!interception.IsSuppressed && !CreateAlong(name))
            {
                await SendAsync(_sql.GenerateCreateSavepointStatement(name), cancellationToken).ConfigureAwait(false);
            }

            await Logger.CreatedTransactionSavepointAsync(Connection, _transaction, TransactionId, start, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            await FailedAsync("CreateSavepoint", exception, start, stopwatch, cancellationToken).ConfigureAwait(false);
            throw;
        }
    }

    public override void RollbackToSavepoint(string name)
    {
        try
        {
            _isSaving = _isSaving && name is SavepointOfSave;
            _owner.ReadRest();
            base.RollbackToSavepoint(name);
        }
        catch (Exception exception) when (Note(exception))
        {
            throw;
        }
    }

    public override async Task RollbackToSavepointAsync(string name, CancellationToken cancellationToken = default)
    {
        try
        {
            _isSaving = _isSaving && name is SavepointOfSave;
            await _owner.ReadRestAsync(cancellationToken).ConfigureAwait(false);
            await base.RollbackToSavepointAsync(name, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (Note(exception))
        {
            throw;
        }
    }

    public override void ReleaseSavepoint(string name)
    {
        var start = DateTimeOffset.UtcNow;
        var stopwatch = Stopwatch.GetTimestamp();
        try
        {
            _owner.ReadRest();
            if (!Logger.ReleasingTransactionSavepoint(Connection, _transaction, TransactionId, start).IsSuppressed && !ReleaseAlong(name))
            {
                Send(_sql.GenerateReleaseSavepointStatement(name));
            }

            Logger.ReleasedTransactionSavepoint(Connection, _transaction, TransactionId, start);
        }
        catch (Exception exception)
        {
            Failed("ReleaseSavepoint", exception, start, stopwatch);
            throw;
        }
    }

    public override async Task ReleaseSavepointAsync(string name, CancellationToken cancellationToken = default)
    {
        var start = DateTimeOffset.UtcNow;
        var stopwatch = Stopwatch.GetTimestamp();
        try
        {
            await _owner.ReadRestAsync(cancellationToken).ConfigureAwait(false);
            var interception = await Logger
                .ReleasingTransactionSavepointAsync(Connection, _transaction, TransactionId, start, cancellationToken).ConfigureAwait(false);
            if (!interception.IsSuppressed && !ReleaseAlong(name))
            {
                await SendAsync(_sql.GenerateReleaseSavepointStatement(name), cancellationToken).ConfigureAwait(false);
            }

            await Logger.ReleasedTransactionSavepointAsync(Connection, _transaction, TransactionId, start, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            await FailedAsync("ReleaseSavepoint", exception, start, stopwatch, cancellationToken).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Sends a savepoint along with the next command. The name must need no quotes, and the transaction must not have failed.</summary>
    internal void SaveAlong(string name)
    {
        if (ConnectorState.IsTransactionPending(_connection))
        {
            (_begunWith ??= []).Add(name);
        }

        _transaction.Save(name);
    }

    /// <summary>The statements that make those savepoints again which <see cref="BeganAnew"/> would.</summary>
    internal string SavepointStatements()
        => _begunWith is null ? "" : string.Concat(_begunWith.Select(name => $"{_sql.GenerateCreateSavepointStatement(name)}\n"));

    /// <summary>The server has rolled the transaction back and begun it again, before anything but savepoints was sent in it.</summary>
    internal void BeganAnew() => _begunWith?.ForEach(_transaction.Save);

    private bool CreateAlong(string name)
    {
        _isSaving = false;
        if (name is not SavepointOfSave || !ConnectorState.MaySendAlong(_connection))
        {
            return false;
        }

        SaveAlong(name);
        _isSaving = true;
        return true;
    }

    private bool ReleaseAlong(string name)
    {
        var isSaving = _isSaving;
        _isSaving = false;
        if (!isSaving || name is not SavepointOfSave || !ConnectorState.SendAlong(_connection, ReleaseOfSave))
        {
            return false;
        }

        _begunWith?.Remove(name);
        return true;
    }

    [SuppressMessage("Security", "CA2100", Justification = "EF delimits the name.")]
    private NpgsqlCommand Command(string sql) => new(sql, _connection, (NpgsqlTransaction)_transaction);

    private void Send(string sql)
    {
        using var command = Command(sql);
        command.ExecuteNonQuery();
    }

    private async Task SendAsync(string sql, CancellationToken cancellationToken)
    {
        var command = Command(sql);
        await using (command.ConfigureAwait(false))
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
