using System.Runtime.CompilerServices;
using DbRetry.EFCore.Seams;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>
/// The primaries at the other end of physical connections. A primary stays what it is for as long as its backend lives: it neither restarts nor recovers nor
/// changes its timeline without ending it. What a connection has told once, it need not tell with every transaction.
/// </summary>
/// <remarks>
/// Only of a connection to a backend of its own, which a pooler in between would make look otherwise: it has the process id that the client was told when it
/// connected. Its statistics may be reset by somebody meanwhile: evidence that compares them is weaker then, and not wrong.
/// </remarks>
internal static class KnownServers
{
    private static readonly ConditionalWeakTable<object, StrongBox<ServerIncarnation>> Told = [];

    /// <summary>The server that a connection has told of; <see langword="null"/> if it is to be asked.</summary>
    internal static ServerIncarnation? Of(NpgsqlConnection connection)
        => ConnectorState.Physical(connection) is { } physical && Told.TryGetValue(physical, out var server) ? server.Value : null;

    internal static void Note(NpgsqlConnection connection, TransactionIdentity identity)
    {
        if (ConnectorState.Physical(connection) is { } physical && identity.ProcessId == connection.ProcessID)
        {
            Told.AddOrUpdate(physical, new(identity.Server));
        }
    }
}
