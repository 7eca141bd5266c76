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
    private volatile SeenRecovery[] _seen = [];

    /// <summary>The latest ones, newest first.</summary>
    internal IReadOnlyList<SeenRecovery> Seen => _seen;

    internal static RecoveryMemory Of(Cluster cluster) => Memories.GetOrCreateValue(cluster);

    /// <param name="host">Where the server was met, as messages name it.</param>
    /// <param name="server">The server.</param>
    internal void Note(string host, ServerIncarnation server)
    {
        var recovery = new SeenRecovery(host, server);
        if (server.LastReplayLsn is null || Knows(recovery))
        {
            return;
        }

        lock (_lock)
        {
            if (!Knows(recovery))
            {
                _seen = [recovery, .. _seen.Take(Capacity - 1)];
            }
        }
    }

    private bool Knows(SeenRecovery recovery) => Array.IndexOf(_seen, recovery) >= 0;
}

/// <summary>A server that showed that it had recovered.</summary>
/// <param name="Host">Where it was met.</param>
/// <param name="Server">The server, as it was then.</param>
internal readonly record struct SeenRecovery(string Host, ServerIncarnation Server);
