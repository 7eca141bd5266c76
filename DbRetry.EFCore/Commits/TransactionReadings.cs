using System.Data.Common;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>Asks the server, before COMMIT, about the transaction that is open on a connection.</summary>
internal sealed class TransactionReadings(AttemptLog log)
{
    /// <exception cref="StatusRefusedException">The server does not tell.</exception>
    internal TransactionIdentity Identity(NpgsqlConnection connection)
    {
        try
        {
            return Learnt(connection, Ask(TransactionQueries.ReadIdentity(connection), TransactionQueries.Identity, TransactionIdentity.OfNoWrite));
        }
        catch (PostgresException exception) when (exception.IsRefusal())
        {
            throw new StatusRefusedException(exception);
        }
    }

    /// <inheritdoc cref="Identity"/>
    internal async Task<TransactionIdentity> IdentityAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            return Learnt(
                connection,
                await AskAsync(TransactionQueries.ReadIdentity(connection), TransactionQueries.Identity, TransactionIdentity.OfNoWrite, cancellationToken)
                    .ConfigureAwait(false));
        }
        catch (PostgresException exception) when (exception.IsRefusal())
        {
            throw new StatusRefusedException(exception);
        }
    }

    /// <summary>Whether the transaction is READ ONLY.</summary>
    internal bool ForbidsWrites(NpgsqlConnection connection)
        => Ask(TransactionQueries.ReadAccessMode(connection), static row => row.GetBoolean(0), none: false);

    /// <inheritdoc cref="ForbidsWrites"/>
    internal Task<bool> ForbidsWritesAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
        => AskAsync(TransactionQueries.ReadAccessMode(connection), static row => row.GetBoolean(0), none: false, cancellationToken);

    private static TransactionIdentity Learnt(NpgsqlConnection connection, TransactionIdentity identity)
    {
        if (identity != TransactionIdentity.OfNoWrite)
        {
            KnownServers.Note(connection, identity);
        }

        return identity;
    }

    private T Ask<T>(NpgsqlCommand question, Func<DbDataReader, T> read, T none)
    {
        using var command = question;
        try
        {
            using var reader = command.ExecuteReader();
            return reader.Read() ? read(reader) : none;
        }
        catch (Exception exception)
        {
            log.NoteLoss(command.Connection!, exception);
            throw;
        }
    }

    private async Task<T> AskAsync<T>(NpgsqlCommand command, Func<DbDataReader, T> read, T none, CancellationToken cancellationToken)
    {
        await using (command.ConfigureAwait(false))
        {
            try
            {
                var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? read(reader) : none;
                }
            }
            catch (Exception exception)
            {
                log.NoteLoss(command.Connection!, exception);
                throw;
            }
        }
    }
}
