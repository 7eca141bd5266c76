using DbRetry.EFCore.Commits;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>A server that once recovered, for tables.</summary>
internal static class Incarnations
{
    public static DateTime Later { get; } = new(2026, 1, 2, 0, 0, 0, DateTimeKind.Utc);

    public static ServerIncarnation Then { get; } = new(
        SystemIdentifier: 1, Timeline: 5, LastReplayLsn: 500, StartedAt: Later.AddDays(-1), StatisticsSince: Later.AddDays(-2));

    public static TransactionIdentity Identity(ServerIncarnation server, long insertLsn = 1000) => new(77, insertLsn, server, ProcessId: 4711);
}
