using System.Runtime.CompilerServices;
using Npgsql;

namespace DbRetry.EFCore.Seams;

/// <summary>
/// The single hosts of a multi-host data source. Npgsql offers no public way to open a connection to one of them, and setting a connection
/// string would detach the connection from the data source with all its mappings.
/// </summary>
/// <remarks>
/// Leans on Npgsql 10: NpgsqlMultiHostDataSource.Pools, MultiHostDataSourceWrapper.WrappedSource, NpgsqlDataSource.Settings,
/// NpgsqlConnection._dataSource and NpgsqlConnection.Settings (src/Npgsql/*.cs of the same names).
/// Where <see cref="IsAvailable"/> is false, Npgsql's own choice of host is used and only its memory of host states is cleared.
/// </remarks>
internal static class DataSourceHosts
{
    private static readonly Lazy<bool> Available = new(SelfCheck);

    /// <summary>Whether this version of Npgsql has what this seam needs.</summary>
    internal static bool IsAvailable => Available.Value;

    /// <summary>The multi-host data source behind a data source, if there is one.</summary>
    internal static NpgsqlMultiHostDataSource? MultiHost(NpgsqlDataSource dataSource)
        => dataSource as NpgsqlMultiHostDataSource
            ?? (dataSource.GetType().FullName == "Npgsql.MultiHostDataSourceWrapper" ? WrappedSource(dataSource) : null);

    /// <summary>One data source for each host, in the order of the connection string, with the mappings of the whole.</summary>
    internal static NpgsqlDataSource[] Hosts(NpgsqlMultiHostDataSource dataSource) => Pools(dataSource);

    internal static NpgsqlConnectionStringBuilder SettingsOf(NpgsqlDataSource dataSource) => Settings(dataSource);

    /// <summary>The target session that a data source was made for, if any. The connection string does not have that of WithTargetSession.</summary>
    internal static string? TargetOf(NpgsqlDataSource dataSource)
        => IsAvailable
            ? SettingsOf(dataSource).TargetSessionAttributes
            : new NpgsqlConnectionStringBuilder(dataSource.ConnectionString).TargetSessionAttributes;

    /// <summary>Moves a closed connection to another data source.</summary>
    internal static void Move(NpgsqlConnection connection, NpgsqlDataSource host, NpgsqlConnectionStringBuilder settings)
    {
        DataSource(connection) = host;
        SetSettings(connection, settings);
    }

    /// <summary>The pool that a closed connection would be opened from.</summary>
    internal static NpgsqlDataSource? PoolOf(NpgsqlConnection connection) => DataSource(connection);

    private static bool SelfCheck()
    {
        try
        {
            using var dataSource = new NpgsqlDataSourceBuilder("Host=a,b").BuildMultiHost();
            using var wrapper = dataSource.WithTargetSession(TargetSessionAttributes.Primary);
            using var connection = wrapper.CreateConnection();
            var hosts = Hosts(MultiHost(wrapper)!);
            Move(connection, hosts[1], new NpgsqlConnectionStringBuilder(SettingsOf(hosts[1]).ConnectionString) { Timeout = 7 });
            return hosts.Length == 2
                && SettingsOf(hosts[1]).Host == "b"
                && ReferenceEquals(DataSource(connection), hosts[1])
                && connection.ConnectionTimeout == 7;
        }
        catch (Exception exception) when (exception is MissingMemberException or TypeLoadException or NullReferenceException)
        {
            return false;
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Pools")]
    private static extern NpgsqlDataSource[] Pools(NpgsqlMultiHostDataSource dataSource);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_WrappedSource")]
    private static extern NpgsqlMultiHostDataSource WrappedSource([UnsafeAccessorType("Npgsql.MultiHostDataSourceWrapper, Npgsql")] object wrapper);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Settings")]
    private static extern NpgsqlConnectionStringBuilder Settings(NpgsqlDataSource dataSource);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_Settings")]
    private static extern void SetSettings(NpgsqlConnection connection, NpgsqlConnectionStringBuilder settings);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_dataSource")]
    private static extern ref NpgsqlDataSource? DataSource(NpgsqlConnection connection);
}
