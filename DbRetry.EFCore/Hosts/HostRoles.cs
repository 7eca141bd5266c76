using System.Data.Common;
using DbRetry.EFCore.Seams;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>Reads which role the host of an open connection has.</summary>
internal static class HostRoles
{
    private const string RoleQuery = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only') = 'on'";

    // A standby has no timeline of its own, and must not be asked.
    private const string RoleAndTimelineQuery
        = $"{RoleQuery}, CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN {ServerTimeline.TimelineSql} END, {ServerTimeline.SystemIdentifierSql}";

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

    /// <summary>Asks the server: one round trip, or three where it will not tell its timeline.</summary>
    internal static HostSighting Ask(NpgsqlConnection connection, TimeSpan limit)
    {
        if (MayTellTimeline(connection))
        {
            try
            {
                return Ask(connection, withTimeline: true, limit);
            }
            catch (PostgresException exception) when (exception.IsRefusal())
            {
            }
        }

        return Ask(connection, withTimeline: false, limit);
    }

    /// <inheritdoc cref="Ask(NpgsqlConnection, TimeSpan)"/>
    /// <remarks>Npgsql would ask a host that does not answer to cancel, and block whoever cancels until that has failed.</remarks>
    internal static async Task<HostSighting> AskAsync(NpgsqlConnection connection, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var breaking = cancellationToken.UnsafeRegister(static connection => ConnectorState.BreakSocket((NpgsqlConnection)connection!), connection);
        try
        {
            return await AskAsync(connection, limit).ConfigureAwait(false);
        }
        catch (Exception exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(exception.Message, exception, cancellationToken);
        }
    }

    private static async Task<HostSighting> AskAsync(NpgsqlConnection connection, TimeSpan limit)
    {
        if (MayTellTimeline(connection))
        {
            try
            {
                return await AskAsync(connection, withTimeline: true, limit).ConfigureAwait(false);
            }
            catch (PostgresException exception) when (exception.IsRefusal())
            {
            }
        }

        return await AskAsync(connection, withTimeline: false, limit).ConfigureAwait(false);
    }

    private static HostSighting Ask(NpgsqlConnection connection, bool withTimeline, TimeSpan limit)
    {
        using var command = Command(connection, withTimeline, limit);
        using var reader = command.ExecuteReader();
        reader.Read();
        return Sighting(reader);
    }

    private static async Task<HostSighting> AskAsync(NpgsqlConnection connection, bool withTimeline, TimeSpan limit)
    {
        var command = Command(connection, withTimeline, limit);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(CancellationToken.None).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(CancellationToken.None).ConfigureAwait(false);
                return Sighting(reader);
            }
        }
    }

    private static NpgsqlCommand Command(NpgsqlConnection connection, bool withTimeline, TimeSpan limit)
    {
        var seconds = (int)Math.Ceiling(limit.TotalSeconds);
        return withTimeline
            ? new(RoleAndTimelineQuery, connection) { CommandTimeout = seconds }
            : new(RoleQuery, connection) { CommandTimeout = seconds };
    }

    // The functions have these names since version 10.
    private static bool MayTellTimeline(NpgsqlConnection connection)
        => connection.PostgreSqlVersion.Major >= 10 && !connection.PostgresParameters.ContainsKey("crdb_version");

    private static HostSighting Sighting(DbDataReader row)
    {
        var role = Role(row.GetBoolean(0), row.GetBoolean(1));
        if (row.FieldCount == 2)
        {
            return role;
        }

        var system = row.GetInt64(3);
        return new(role, row.IsDBNull(2) ? null : new ServerTimeline(system, row.GetInt32(2))) { SystemIdentifier = system };
    }

    private static HostRole Role(bool standby, bool readOnly)
        => standby ? HostRole.Standby : readOnly ? HostRole.ReadOnlyPrimary : HostRole.Primary;
}
