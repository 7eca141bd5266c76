using System.Diagnostics;
using DbRetry.EFCore.Seams;
using Npgsql;

namespace DbRetry.EFCore.Testing;

/// <summary>Breaks real connections.</summary>
internal static class ConnectionLoss
{
    /// <exception cref="NotSupportedException">The installed version of Npgsql hides its sockets.</exception>
    internal static void RequireSockets()
    {
        if (!ConnectorState.IsAvailable)
        {
            throw new NotSupportedException(
                "DbRetryFaults cannot break connections of the installed version of Npgsql. Use a version that this version of DbRetry was made for.");
        }
    }

    /// <summary>Nothing reaches the server from here on, and whoever sends something finds the connection broken.</summary>
    internal static void Cut(NpgsqlConnection connection) => ConnectorState.BreakSocket(connection);

    /// <summary>Cuts the connection and finds it broken.</summary>
    /// <exception cref="NpgsqlException">What Npgsql says of a connection that is lost.</exception>
    internal static void Suffer(NpgsqlConnection connection)
    {
        Cut(connection);
        using var sent = Anything(connection);
        sent.ExecuteNonQuery();
        throw new UnreachableException();
    }

    /// <inheritdoc cref="Suffer"/>
    internal static async Task SufferAsync(NpgsqlConnection connection)
    {
        Cut(connection);
        var sent = Anything(connection);
        await using (sent.ConfigureAwait(false))
        {
            await sent.ExecuteNonQueryAsync().ConfigureAwait(false);
        }

        throw new UnreachableException();
    }

    private static NpgsqlCommand Anything(NpgsqlConnection connection) => new("SELECT", connection);
}
