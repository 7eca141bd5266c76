using System.Collections.Concurrent;
using Npgsql;

namespace DbRetry.EFCore.Commits.Witness;

/// <summary>Sees to it that the table of witnesses is there before it is used, and removes old ones now and then.</summary>
internal sealed class WitnessUpkeep(TimeProvider time)
{
    /// <summary>How often one process removes old witnesses from one table.</summary>
    internal static readonly TimeSpan CleaningInterval = TimeSpan.FromSeconds(10);

    /// <summary>No question is asked so late, unless <c>FailoverTimeout</c> is longer.</summary>
    private static readonly TimeSpan LeastAge = TimeSpan.FromMinutes(10);

    // Tables that were found, and when they were cleaned last, by the provider's timestamp.
    private readonly ConcurrentDictionary<Place, long> _found = new();

    /// <exception cref="InvalidOperationException">There is no such table, and it cannot be created.</exception>
    internal void EnsureTable(NpgsqlConnection connection, WitnessTable table)
    {
        var place = Place.Of(connection, table);
        if (_found.ContainsKey(place))
        {
            return;
        }

        if (!Exists(connection, table))
        {
            try
            {
                using var aside = Aside(connection);
                aside.Open();
                using var create = table.Create(aside);
                create.ExecuteNonQuery();
            }
            catch (NpgsqlException exception)
            {
                // Somebody else may have been quicker.
                ThrowUnless(Exists(connection, table), table, exception);
            }
        }

        _found[place] = time.GetTimestamp();
    }

    /// <inheritdoc cref="EnsureTable"/>
    internal async ValueTask EnsureTableAsync(NpgsqlConnection connection, WitnessTable table, CancellationToken cancellationToken)
    {
        var place = Place.Of(connection, table);
        if (_found.ContainsKey(place))
        {
            return;
        }

        if (!await ExistsAsync(connection, table, cancellationToken).ConfigureAwait(false))
        {
            try
            {
                var aside = Aside(connection);
                await using (aside.ConfigureAwait(false))
                {
                    await aside.OpenAsync(cancellationToken).ConfigureAwait(false);
                    var create = table.Create(aside);
                    await using (create.ConfigureAwait(false))
                    {
                        await create.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
                    }
                }
            }
            catch (NpgsqlException exception)
            {
                ThrowUnless(await ExistsAsync(connection, table, cancellationToken).ConfigureAwait(false), table, exception);
            }
        }

        _found[place] = time.GetTimestamp();
    }

    /// <summary>The table is gone, and is to be created again.</summary>
    internal void Forget(NpgsqlConnection connection, WitnessTable table) => _found.TryRemove(Place.Of(connection, table), out _);

    /// <summary>Removes old witnesses, if that is due, over a connection that has just committed. Never fails: the commit has succeeded.</summary>
    internal void Clean(NpgsqlConnection connection, WitnessTable table, TimeSpan failoverTimeout)
    {
        if (!IsDue(connection, table))
        {
            return;
        }

        try
        {
            using var clean = table.Clean(connection, Age(failoverTimeout));
            clean.ExecuteNonQuery();
        }
        catch (Exception)
        {
            // They are removed by a later commit.
        }
    }

    /// <inheritdoc cref="Clean"/>
    internal async ValueTask CleanAsync(NpgsqlConnection connection, WitnessTable table, TimeSpan failoverTimeout)
    {
        if (!IsDue(connection, table))
        {
            return;
        }

        try
        {
            var clean = table.Clean(connection, Age(failoverTimeout));
            await using (clean.ConfigureAwait(false))
            {
                await clean.ExecuteNonQueryAsync(CancellationToken.None).ConfigureAwait(false);
            }
        }
        catch (Exception)
        {
            // As above.
        }
    }

    private bool IsDue(NpgsqlConnection connection, WitnessTable table)
    {
        var place = Place.Of(connection, table);
        return _found.TryGetValue(place, out var last)
            && time.GetElapsedTime(last) >= CleaningInterval
            && _found.TryUpdate(place, time.GetTimestamp(), last);
    }

    private static TimeSpan Age(TimeSpan failoverTimeout) => failoverTimeout * 2 > LeastAge ? failoverTimeout * 2 : LeastAge;

    private static bool Exists(NpgsqlConnection connection, WitnessTable table)
    {
        using var exists = table.Exists(connection);
        return exists.ExecuteScalar() is true;
    }

    private static async Task<bool> ExistsAsync(NpgsqlConnection connection, WitnessTable table, CancellationToken cancellationToken)
    {
        var exists = table.Exists(connection);
        await using (exists.ConfigureAwait(false))
        {
            return await exists.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
        }
    }

    // Beside the transaction, which must not hold the locks of a new table, and beside the pool, which may have no second place.
    private static NpgsqlConnection Aside(NpgsqlConnection connection)
        => connection.CloneWith(new NpgsqlConnectionStringBuilder(connection.ConnectionString)
        {
            Host = connection.Host,
            Port = connection.Port,
            Pooling = false,
            TargetSessionAttributes = null,
        }.ConnectionString);

    private static void ThrowUnless(bool exists, WitnessTable table, NpgsqlException exception)
    {
        if (!exists)
        {
            throw new InvalidOperationException(
                $"{nameof(CommitVerification)}.{nameof(CommitVerification.Witness)} needs the table '{table.Name}', which is not there and could not be created: "
                + $"{exception.Message} Create it in a migration by migrationBuilder.CreateDbRetryWitnessTable(), and grant INSERT, SELECT and DELETE on "
                + "it to the application's role. The transaction was not committed.",
                exception);
        }
    }

    private readonly record struct Place(string Server, string Database, string? User, WitnessTable Table)
    {
        internal static Place Of(NpgsqlConnection connection, WitnessTable table)
            => new(connection.DataSource, connection.Database, connection.UserName, table);
    }
}
