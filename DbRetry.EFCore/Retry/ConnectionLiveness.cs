using System.Data;
using Npgsql;

namespace DbRetry.EFCore.Retry;

/// <summary>Tells whether a connection that was open is gone.</summary>
internal static class ConnectionLiveness
{
    /// <remarks>
    /// <c>State</c> never says Broken, only <c>FullState</c> does (ServerBehavior/CommitFaultsTests), and it has a flag more while a command runs
    /// or a result is being read (ServerBehavior/ConnectionStateFacts).
    /// </remarks>
    internal static bool IsGone(this NpgsqlConnection connection) => !connection.FullState.HasFlag(ConnectionState.Open);
}
