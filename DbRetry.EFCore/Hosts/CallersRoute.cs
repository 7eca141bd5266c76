using DbRetry.EFCore.Dsn;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>The one host of a connection that the application made itself.</summary>
internal sealed class CallersRoute(NpgsqlConnection connection)
    : HostRoute(
        ClusterRegistry.Get([new HostEndpoint(connection.Host ?? string.Empty, connection.Port)]),
        TargetSession.Any,
        TimeSpan.FromSeconds(connection.ConnectionTimeout))
{
    internal override void Bind(NpgsqlConnection connection, int host)
    {
    }

    internal override void ClearPool(int host) => NpgsqlConnection.ClearPool(connection);
}
