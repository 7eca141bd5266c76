using Npgsql;

namespace DbRetry.EFCore.Retry.Fencing;

/// <summary>A session on a server, as the client that uses it knows it.</summary>
/// <param name="Connection">What it is used through.</param>
/// <param name="Host">Where it was connected to.</param>
/// <param name="Port">The port there.</param>
/// <param name="ProcessId">Its backend there. The server may give the number to another one as soon as this one is gone.</param>
/// <param name="Since">When the client was last certain that the backend is its own and in no transaction yet, by the time provider's timestamp.</param>
internal readonly record struct ServerSession(NpgsqlConnection Connection, string? Host, int Port, int ProcessId, long Since)
{
    /// <summary>The session of a connection; <see langword="null"/> if it has none, or one without a backend that could be named.</summary>
    /// <remarks>What a connection knows of its session goes with it when it is lost (ServerBehavior/SilentConnectionFacts).</remarks>
    internal static ServerSession? Of(NpgsqlConnection connection, long timestamp)
        => !connection.IsGone() && connection.ProcessID is not 0 and var processId
            ? new(connection, connection.Host, connection.Port, processId, timestamp)
            : null;
}
