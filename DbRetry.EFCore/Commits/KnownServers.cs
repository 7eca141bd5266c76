using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using DbRetry.EFCore.Seams;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>What a server changes whenever it starts or recovers, and no two servers of the world have in common.</summary>
/// <param name="LastReplayLsn">How far the last recovery since its start replayed; <see langword="null"/> when there was none.</param>
/// <param name="StartedAt">When its postmaster started, to the microsecond.</param>
/// <param name="StatisticsSince">When its statistics began; <see langword="null"/> before PostgreSQL 15.</param>
internal readonly record struct ServerLife(long? LastReplayLsn, DateTime StartedAt, DateTime? StatisticsSince);

/// <summary>
/// The primaries that this process has written to. A primary stays on its timeline for as long as it lives: who has its <see cref="ServerLife"/> knows its
/// timeline and its system identifier, and need not ask for them with every transaction.
/// </summary>
internal static class KnownServers
{
    // More than fail over in the life of a process; past it they are asked anew.
    private const int MaxServers = 1000;

    private static readonly ConcurrentDictionary<ServerLife, ServerIncarnation> Servers = new();

    // Physical connections whose server is known. A new one, behind a failover most of all, asks for everything once.
    private static readonly ConditionalWeakTable<object, object> Told = [];

    internal static bool HasTold(NpgsqlConnection connection)
        => ConnectorState.Physical(connection) is { } physical && Told.TryGetValue(physical, out _);

    internal static ServerIncarnation? Find(ServerLife life) => Servers.TryGetValue(life, out var server) ? server : null;

    internal static void Note(NpgsqlConnection connection, ServerIncarnation server)
    {
        if (Servers.Count >= MaxServers)
        {
            Servers.Clear();
        }

        Servers.TryAdd(new(server.LastReplayLsn, server.StartedAt, server.StatisticsSince), server);
        if (ConnectorState.Physical(connection) is { } physical)
        {
            Told.TryAdd(physical, physical);
        }
    }
}
