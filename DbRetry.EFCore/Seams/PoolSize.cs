using System.Runtime.CompilerServices;
using Npgsql;

namespace DbRetry.EFCore.Seams;

/// <summary>How many connections a pool has. Npgsql tells only whoever listens to its metrics.</summary>
/// <remarks>Leans on Npgsql 10: NpgsqlDataSource.Statistics (src/Npgsql/NpgsqlDataSource.cs). Where <see cref="IsAvailable"/> is false, no pool counts as empty.</remarks>
internal static class PoolSize
{
    private static readonly Lazy<bool> Available = new(SelfCheck);

    /// <summary>Whether this version of Npgsql has what this seam needs.</summary>
    internal static bool IsAvailable => Available.Value;

    /// <summary>Whether a pool has no connection, idle or in use.</summary>
    internal static bool IsEmpty(NpgsqlDataSource pool) => IsAvailable && Statistics(pool) is (0, _, _);

    private static bool SelfCheck()
    {
        try
        {
            using var pool = NpgsqlDataSource.Create("Host=a");
            return Statistics(pool) == (0, 0, 0);
        }
        catch (Exception exception) when (exception is MissingMemberException or TypeLoadException)
        {
            return false;
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Statistics")]
    private static extern (int Total, int Idle, int Busy) Statistics(NpgsqlDataSource pool);
}
