using System.Runtime.CompilerServices;
using DbRetry.EFCore.Hosts;

namespace DbRetry.EFCore.Commits;

/// <summary>
/// The recoveries of a cluster's servers that anybody in this process has come across. A server shows its last one only: when it crashes again before
/// an outcome was asked for, what the first crash lost shows nowhere else.
/// </summary>
internal sealed class RecoveryMemory
{
    internal const int Capacity = 32;

    private static readonly ConditionalWeakTable<Cluster, RecoveryMemory> Memories = [];

    private readonly Lock _lock = new();
    private volatile ServerIncarnation[] _seen = [];

    /// <summary>The latest ones, newest first.</summary>
    internal IReadOnlyList<ServerIncarnation> Seen => _seen;

    internal static RecoveryMemory Of(Cluster cluster) => Memories.GetOrCreateValue(cluster);

    internal void Note(ServerIncarnation server)
    {
        if (server.LastReplayLsn is null || Knows(server))
        {
            return;
        }

        lock (_lock)
        {
            if (!Knows(server))
            {
                _seen = [server, .. _seen.Take(Capacity - 1)];
            }
        }
    }

    private bool Knows(ServerIncarnation server) => Array.IndexOf(_seen, server) >= 0;
}
