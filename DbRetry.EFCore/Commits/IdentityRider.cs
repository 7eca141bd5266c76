using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Retry.Contention;
using DbRetry.EFCore.Seams;
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
internal sealed class IdentityRider(ContextSettings context, AttemptLog log, LoneStatements loneStatements, LaneLock laneLock)
{
    private DbCommand? _carrier;

    /// <summary>Whether the save that is running carries the question: EF finds a result more than it expects.</summary>
    internal bool IsRiding => _carrier is not null;

    /// <summary>Lets a save that is about to be sent carry the question.</summary>
    internal void Load(DbCommand command, CommandSource source, bool mayCarry)
    {
        _carrier = null;
        if (mayCarry && source is CommandSource.SaveChanges && CanCarry(command))
        {
            Load(command);
            _carrier = command;
        }
    }

    /// <summary>Takes the answer, before the results of a save are closed.</summary>
    internal void Unload(DbCommand command, DbDataReader reader)
    {
        if (IsUnread(command, reader))
        {
            try
            {
                if (reader.Read())
                {
                    Note(command, reader);
                }
            }
            catch (Exception exception)
            {
                log.NoteLoss((NpgsqlConnection)command.Connection!, exception);
                throw;
            }
        }
    }

    /// <inheritdoc cref="Unload(DbCommand, DbDataReader)"/>
    internal ValueTask UnloadAsync(DbCommand command, DbDataReader reader)
    {
        return IsUnread(command, reader) ? UnloadAsync() : ValueTask.CompletedTask;

        async ValueTask UnloadAsync()
        {
            try
            {
                if (await reader.ReadAsync().ConfigureAwait(false))
                {
                    Note(command, reader);
                }
            }
            catch (Exception exception)
            {
                log.NoteLoss((NpgsqlConnection)command.Connection!, exception);
                throw;
            }
        }
    }

    /// <summary>Whether a statement without rows to read is to be run by <see cref="Execute"/>.</summary>
    internal bool Carries(DbCommand command, CommandSource source)
        => (source is CommandSource.ExecuteUpdate or CommandSource.ExecuteDelete || loneStatements.IsAlone(command)) && CanCarry(command);

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
    private static void Restore(DbCommand command, string text)
    {
        if (!((NpgsqlConnection)command.Connection!).IsGone())
        {
            command.CommandText = text;
        }
    }

    /// <summary>What ExecuteNonQuery of Npgsql does, except that it looks at the results.</summary>
    internal int Execute(DbCommand command, CommandSource source)
    {
        var text = command.CommandText;
        Load(command);
        try
        {
            using var reader = laneLock.Execute(command, source, along: true) ?? command.ExecuteReader();
            do
            {
                if (TransactionQueries.IsIdentity(reader) && reader.Read())
                {
                    Note(command, reader);
                }
            }
            while (reader.NextResult());

            reader.Close();
            return reader.RecordsAffected;
        }
        finally
        {
            Restore(command, text);
        }
    }

    /// <inheritdoc cref="Execute"/>
    internal async Task<int> ExecuteAsync(DbCommand command, CommandSource source, CancellationToken cancellationToken)
    {
        var text = command.CommandText;
        Load(command);
        try
        {
            var reader = await laneLock.ExecuteAsync(command, source, along: true, cancellationToken).ConfigureAwait(false)
                ?? await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                do
                {
                    if (TransactionQueries.IsIdentity(reader) && await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                    {
                        Note(command, reader);
                    }
                }
                while (await reader.NextResultAsync(cancellationToken).ConfigureAwait(false));

                await reader.CloseAsync().ConfigureAwait(false);
                return reader.RecordsAffected;
            }
        }
        finally
        {
            Restore(command, text);
        }
    }

    private bool CanCarry(DbCommand command)
        => log.Identity is null
            && context.Settings is { CommitVerification: CommitVerification.TransactionStatus }
            && command is NpgsqlCommand { Transaction: not null, Connection: { } connection } text
            && log.Connection?.CurrentTransaction is DbRetryTransaction transaction
            && ReferenceEquals(transaction.GetDbTransaction(), command.Transaction)
            && TransactionQueries.KnowsStatus(connection)
            && CommandStatements.MayBeAddedTo(text);

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

    // A write that found nothing to do has not given the transaction an id; a later one may. If the server is another one than the connection spoke to
    // before (a pooler in between), the guard asks.
    private void Note(DbCommand command, DbDataReader row)
    {
        var connection = (NpgsqlConnection)command.Connection!;
        var identity = TransactionQueries.RidingIdentity(row, connection);
        log.Identity = identity?.Xid is null ? null : identity;
        if (log.Identity is { } whole && TransactionQueries.IsWhole(row))
        {
            KnownServers.Note(connection, whole);
        }
    }
}
