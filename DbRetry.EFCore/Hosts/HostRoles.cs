using System.Data.Common;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>Reads which role the host of an open connection has.</summary>
internal static class HostRoles
{
    private const string Query = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only') = 'on'";

    /// <summary>
    /// What the server reported by itself, without a round trip (PostgreSQL 14 and later; ServerBehavior/ReportedParametersTests);
    /// <see langword="null"/> where it reports nothing. A change is seen only with the next answer on that connection.
    /// </summary>
    internal static HostRole? Reported(NpgsqlConnection connection)
    {
        var parameters = connection.PostgresParameters;
        return parameters.TryGetValue("in_hot_standby", out var standby) && parameters.TryGetValue("default_transaction_read_only", out var readOnly)
            ? Role(standby == "on", readOnly == "on")
            : null;
    }

    /// <summary>Asks the server: one round trip.</summary>
    internal static HostRole Ask(NpgsqlConnection connection, TimeSpan limit)
    {
        using var command = Command(connection, limit);
        using var reader = command.ExecuteReader();
        reader.Read();
        return Role(reader);
    }

    /// <inheritdoc cref="Ask"/>
    internal static async Task<HostRole> AskAsync(NpgsqlConnection connection, TimeSpan limit, CancellationToken cancellationToken)
    {
        var command = Command(connection, limit);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                return Role(reader);
            }
        }
    }

    private static NpgsqlCommand Command(NpgsqlConnection connection, TimeSpan limit)
        => new(Query, connection) { CommandTimeout = (int)Math.Ceiling(limit.TotalSeconds) };

    private static HostRole Role(DbDataReader row) => Role(row.GetBoolean(0), row.GetBoolean(1));

    private static HostRole Role(bool standby, bool readOnly)
        => standby ? HostRole.Standby : readOnly ? HostRole.ReadOnlyPrimary : HostRole.Primary;
}
