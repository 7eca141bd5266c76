using System.Data;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using DbRetry.EFCore.Retry;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>
/// Asks for the transaction's identity in the round trip of a write that is sent anyway. What no write carried, <see cref="CommitGuard"/> asks for
/// before COMMIT.
/// </summary>
/// <remarks>
/// The identity must be read behind the transaction's first write; any later one serves, so one write carries it. Only statements of EF's own do, and
/// those that are alone in their transaction: to what an application sends inside of one, a query between can make a difference (SET TRANSACTION, LOCK).
/// </remarks>
internal sealed class IdentityRider(ContextSettings context, AttemptLog log, LoneStatements loneStatements) : DbCommandInterceptor
{
    // Npgsql splits a text into its statements only when it looks for named parameters in it.
    private static readonly bool SplitsStatements = !AppContext.TryGetSwitch("Npgsql.EnableSqlRewriting", out var enabled) || enabled;

    private DbCommand? _carrier;

    /// <summary>Whether the save that is running carries the question: EF finds a result more than it expects.</summary>
    internal bool IsRiding => _carrier is not null;

    public override InterceptionResult<DbDataReader> ReaderExecuting(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result)
    {
        LoadSave(command, eventData, result);
        return result;
    }

    public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
        LoadSave(command, eventData, result);
        return ValueTask.FromResult(result);
    }

    public override InterceptionResult DataReaderClosing(DbCommand command, DataReaderClosingEventData eventData, InterceptionResult result)
    {
        if (IsUnread(command, eventData.DataReader))
        {
            try
            {
                if (eventData.DataReader.Read())
                {
                    Note(eventData.DataReader);
                }
            }
            catch (Exception exception)
            {
                NoteLoss(command, exception);
                throw;
            }
        }

        return result;
    }

    public override async ValueTask<InterceptionResult> DataReaderClosingAsync(
        DbCommand command, DataReaderClosingEventData eventData, InterceptionResult result)
    {
        if (IsUnread(command, eventData.DataReader))
        {
            try
            {
                if (await eventData.DataReader.ReadAsync().ConfigureAwait(false))
                {
                    Note(eventData.DataReader);
                }
            }
            catch (Exception exception)
            {
                NoteLoss(command, exception);
                throw;
            }
        }

        return result;
    }

    public override InterceptionResult<int> NonQueryExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<int> result)
        => !result.HasResult && IsOurs(command, eventData) && CanCarry(command)
            ? InterceptionResult<int>.SuppressWithResult(Execute(command))
            : result;

    public override async ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        => !result.HasResult && IsOurs(command, eventData) && CanCarry(command)
            ? InterceptionResult<int>.SuppressWithResult(await ExecuteAsync(command, cancellationToken).ConfigureAwait(false))
            : result;

    [SuppressMessage("Security", "CA2100", Justification = "A constant is added to the text that is about to run anyway.")]
    private static void Load(DbCommand command)
    {
        var text = command.CommandText;
        var separator = IsComplete(text) ? "\n" : "\n;\n";
        command.CommandText = text + separator + TransactionQueries.IdentityRider((NpgsqlConnection)command.Connection!);
    }

    // A semicolon at the end may belong to a comment. One too many does no harm.
    private static bool IsComplete(ReadOnlySpan<char> text)
    {
        text = text.TrimEnd();
        return text.EndsWith(';') && !text[(text.LastIndexOfAny('\r', '\n') + 1)..].Contains("--", StringComparison.Ordinal);
    }

    // EF makes a command for each run, but an application's interceptors see it once more. On a lost connection Npgsql may take it for busy.
    [SuppressMessage("Security", "CA2100", Justification = "The text that it had.")]
    private static void Unload(DbCommand command, string text)
    {
        if (!((NpgsqlConnection)command.Connection!).IsGone())
        {
            command.CommandText = text;
        }
    }

    // What ExecuteNonQuery of Npgsql does, except that it looks at the results.
    private int Execute(DbCommand command)
    {
        var text = command.CommandText;
        Load(command);
        try
        {
            using var reader = command.ExecuteReader();
            do
            {
                if (TransactionQueries.IsIdentity(reader) && reader.Read())
                {
                    Note(reader);
                }
            }
            while (reader.NextResult());

            reader.Close();
            return reader.RecordsAffected;
        }
        finally
        {
            Unload(command, text);
        }
    }

    private async Task<int> ExecuteAsync(DbCommand command, CancellationToken cancellationToken)
    {
        var text = command.CommandText;
        Load(command);
        try
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                do
                {
                    if (TransactionQueries.IsIdentity(reader) && await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                    {
                        Note(reader);
                    }
                }
                while (await reader.NextResultAsync(cancellationToken).ConfigureAwait(false));

                await reader.CloseAsync().ConfigureAwait(false);
                return reader.RecordsAffected;
            }
        }
        finally
        {
            Unload(command, text);
        }
    }

    private void LoadSave(DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result)
    {
        _carrier = null;
        if (!result.HasResult && eventData.CommandSource is CommandSource.SaveChanges && CanCarry(command))
        {
            Load(command);
            _carrier = command;
        }
    }

    private bool IsOurs(DbCommand command, CommandEventData eventData)
        => eventData.CommandSource is CommandSource.ExecuteUpdate or CommandSource.ExecuteDelete || loneStatements.IsAlone(command);

    private bool CanCarry(DbCommand command)
        => log.Identity is null
            && context.Settings is { CommitVerification: CommitVerification.TransactionStatus }
            && SplitsStatements
            && command is NpgsqlCommand { CommandType: CommandType.Text, IsPrepared: false, Transaction: not null, Connection: { } connection } text
            && log.Connection?.CurrentTransaction is DbRetryTransaction transaction
            && ReferenceEquals(transaction.GetDbTransaction(), command.Transaction)
            && TransactionQueries.KnowsStatus(connection)
            && text.Parameters.All(static parameter => parameter is { ParameterName.Length: > 0, Direction: ParameterDirection.Input });

    // EF leaves the reader on the last result. After an error it stands elsewhere, or is closed, and there is no identity.
    private bool IsUnread(DbCommand command, DbDataReader reader)
    {
        if (!ReferenceEquals(command, _carrier))
        {
            return false;
        }

        _carrier = null;
        return !reader.IsClosed && TransactionQueries.IsIdentity(reader);
    }

    // A write that found nothing to do has not given the transaction an id; a later one may.
    private void Note(DbDataReader row)
    {
        var identity = TransactionQueries.Identity(row);
        log.Identity = identity.Xid is null ? null : identity;
    }

    private void NoteLoss(DbCommand command, Exception exception)
    {
        var connection = (NpgsqlConnection)command.Connection!;
        if (connection.IsGone())
        {
            log.Lost(connection, exception);
        }
    }
}
