#pragma warning disable NPG9001, NPG9002 // Marked as subject to change; hence the self-check.
using System.Reflection;
using System.Runtime.CompilerServices;
using Npgsql;
using Npgsql.Internal;
using Npgsql.PostgresTypes;
using Npgsql.Util;

namespace DbRetry.EFCore.Seams;

/// <summary>
/// The types that a pool has loaded. Npgsql asks the server for all of them with the first connection of a pool, and everybody else who opens one waits for that;
/// a pool whose server is a copy of another pool's can have them from there.
/// </summary>
/// <remarks>
/// Leans on Npgsql 10: NpgsqlDatabaseInfo.RegisterFactory and GetTypes (src/Npgsql/Internal/NpgsqlDatabaseInfo.cs), NpgsqlDataSource.Bootstrap, CurrentReloadableState
/// (src/Npgsql/NpgsqlDataSource.cs), NpgsqlConnector.DataSource and PostgresParameters (src/Npgsql/Internal/NpgsqlConnector.cs).
/// Where <see cref="IsAvailable"/> is false, each pool loads its types by itself.
/// </remarks>
internal static class PoolTypes
{
    private static readonly ConditionalWeakTable<NpgsqlDataSource, Func<NpgsqlDataSource?>> Sources = [];

    // Its type is internal, and no accessor gives a reference to such a field.
    private static readonly FieldInfo? CurrentState
        = typeof(NpgsqlDataSource).GetField("CurrentReloadableState", BindingFlags.NonPublic | BindingFlags.Instance);

    private static readonly Lazy<bool> Available = new(SelfCheck);
    private static readonly Lazy<bool> Registered = new(Register);

    /// <summary>Whether this version of Npgsql has what this seam needs.</summary>
    internal static bool IsAvailable => Available.Value;

    /// <summary>Lets a pool take over what another one has loaded, when its first connection is opened.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="source">Finds the other one then, of the same database and with the same settings; <see langword="null"/> where there is none.</param>
    internal static void Share(NpgsqlDataSource pool, Func<NpgsqlDataSource?> source)
    {
        if (Registered.Value)
        {
            Sources.AddOrUpdate(pool, source);
        }
    }

    /// <summary>What a pool has loaded, as it is now; <see langword="null"/> before its first connection.</summary>
    internal static NpgsqlDatabaseInfo? LoadedBy(NpgsqlDataSource pool) => CurrentState?.GetValue(pool) is { } state ? DatabaseInfo(state) : null;

    private static bool Register()
    {
        if (IsAvailable)
        {
            NpgsqlDatabaseInfo.RegisterFactory(new Factory());
        }

        return IsAvailable;
    }

    private static bool SelfCheck()
        => DataSourceHosts.IsAvailable
            && CurrentState is not null
            && IsThere(static () => DatabaseInfo(null!))
            && IsThere(static () => Pool(null!))
            && IsThere(static () => Parameters(null!))
            && IsThere(static () => new CopiedDatabaseInfo(string.Empty, 0, string.Empty, "15.4", null!));

    // What has these members comes with a connection. They are looked for before it is noticed that there is none.
    private static bool IsThere(Func<object> member)
    {
        try
        {
            member();
            return false;
        }
        catch (NullReferenceException)
        {
            return true;
        }
        catch (Exception exception) when (exception is MissingMemberException or TypeLoadException or NotSupportedException)
        {
            return false;
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "GetTypes")]
    private static extern IEnumerable<PostgresType> Types(NpgsqlDatabaseInfo info);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_DatabaseInfo")]
    private static extern NpgsqlDatabaseInfo DatabaseInfo([UnsafeAccessorType("Npgsql.NpgsqlDataSource+ReloadableState, Npgsql")] object state);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_DataSource")]
    private static extern NpgsqlDataSource Pool(NpgsqlConnector connector);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_PostgresParameters")]
    private static extern Dictionary<string, string> Parameters(NpgsqlConnector connector);

    /// <summary>Is asked by Npgsql for each pool's first connection, and for each <c>ReloadTypes</c>.</summary>
    private sealed class Factory : INpgsqlDatabaseInfoFactory
    {
        public Task<NpgsqlDatabaseInfo?> Load(NpgsqlConnector conn, NpgsqlTimeout timeout, bool async) => Task.FromResult<NpgsqlDatabaseInfo?>(Copy(conn));

        private static CopiedDatabaseInfo? Copy(NpgsqlConnector connector)
        {
            var pool = Pool(connector);
            if (!Sources.TryGetValue(pool, out var source) || LoadedBy(pool) is not null || source() is not { } other || LoadedBy(other) is not { } loaded)
            {
                return null;
            }

            // What another product, or somebody else's factory, knows beyond types is not known here.
            if (loaded is not CopiedDatabaseInfo && loaded.GetType().FullName != "Npgsql.PostgresDatabaseInfo")
            {
                return null;
            }

            var server = connector.Settings;
            var copy = new CopiedDatabaseInfo(server.Host!, server.Port, server.Database!, Parameters(connector)["server_version"], loaded);
            return copy.Version.Major == loaded.Version.Major ? copy : null;
        }
    }

    private sealed class CopiedDatabaseInfo(string host, int port, string database, string serverVersion, NpgsqlDatabaseInfo loaded)
        : NpgsqlDatabaseInfo(host, port, database, ParseServerVersion(serverVersion), serverVersion)
    {
        private readonly IEnumerable<PostgresType> _types = Types(loaded);

        public override bool SupportsUnlisten { get; } = loaded.SupportsUnlisten;

        public override bool HasIntegerDateTimes { get; protected set; } = loaded.HasIntegerDateTimes;

        protected override IEnumerable<PostgresType> GetTypes() => _types;
    }
}
