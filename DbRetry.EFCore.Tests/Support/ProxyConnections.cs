using DbRetry.EFCore.Tests.Support.Faults;
using Npgsql;

namespace DbRetry.EFCore.Tests.Support;

/// <summary>Unpooled connections through a proxy.</summary>
internal static class ProxyConnections
{
    /// <summary>To the one server of <see cref="SharedCluster.ServerAsync"/>.</summary>
    public static async Task<NpgsqlConnection> OpenAsync(this FaultProxy proxy, string settings = "") =>
        await proxy.OpenAsync(await SharedCluster.ServerAsync(), settings);

    public static async Task<NpgsqlConnection> OpenAsync(this FaultProxy proxy, string connectionString, string settings)
    {
        var connection = new NpgsqlConnection($"{proxy.Through(connectionString)};Pooling=false;{settings}");
        try
        {
            await connection.OpenAsync();
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }
}
