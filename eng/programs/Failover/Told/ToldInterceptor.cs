using System.Collections.Concurrent;
using System.Data;
using System.Data.Common;
using DbRetry.EFCore.Tests.Support.Failover;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace DbRetry.Failover.Told;

/// <summary>Connects to the server that is the primary, without having to find it.</summary>
internal sealed class ToldInterceptor(string connectionString, PrimaryWord primary) : DbConnectionInterceptor
{
    private readonly ConcurrentDictionary<int, string> _connectionStrings = new();

    public override InterceptionResult ConnectionOpening(DbConnection connection, ConnectionEventData eventData, InterceptionResult result)
    {
        Point(connection);
        return result;
    }

    public override ValueTask<InterceptionResult> ConnectionOpeningAsync(
        DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        Point(connection);
        return new(result);
    }

    private void Point(DbConnection connection)
    {
        if (connection.State == ConnectionState.Closed)
        {
            connection.ConnectionString = _connectionStrings.GetOrAdd(
                primary.Port, port => new NpgsqlConnectionStringBuilder(connectionString) { Host = "127.0.0.1", Port = port }.ConnectionString);
        }
    }
}
