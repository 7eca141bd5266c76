using System.Data;
using Npgsql;

namespace DbRetry.EFCore.Retry;

/// <summary>Tells what has become of a connection that was open.</summary>
internal static class ConnectionLiveness
{
    /// <remarks>
    /// <c>State</c> never says Broken, only <c>FullState</c> does (ServerBehavior/CommitFaultsTests), and it has a flag more while a command runs
    /// or a result is being read (ServerBehavior/ConnectionStateFacts).
    /// </remarks>
    internal static bool IsGone(this NpgsqlConnection connection) => !connection.FullState.HasFlag(ConnectionState.Open);

    /// <summary>Whether it was lost: the session of one that was merely closed is in the pool, and may serve somebody else by now.</summary>
    internal static bool IsBroken(this NpgsqlConnection connection) => connection.FullState.HasFlag(ConnectionState.Broken);
}
