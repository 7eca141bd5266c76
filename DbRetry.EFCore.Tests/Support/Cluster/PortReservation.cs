using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>
/// A loopback port that stays ours while its server is down. It lies below the range from which systems take ports for outgoing
/// connections, or any client socket could take it while a node is being restarted.
/// </summary>
internal sealed class PortReservation : IDisposable
{
    private const int First = 20_000;
    private const int Count = 12_000;

    // A process knows a cluster by its address for as long as it lives, and that one there was promoted: another server there would be taken for the old primary.
    private static readonly ConcurrentDictionary<int, bool> Taken = new();

    private readonly FileStream _lock;

    private PortReservation(int port, FileStream held)
    {
        Port = port;
        _lock = held;
    }

    public int Port { get; }

    public static PortReservation Take()
    {
        var start = Random.Shared.Next(Count);
        for (var i = 0; i < 2 * Count; i++)
        {
            var port = First + ((start + i) % Count);
            if (!Taken.TryAdd(port, true) && i < Count)
            {
                continue;
            }
            if (ClusterRoot.TryLock($"ports/{port}") is not { } held)
            {
                continue;
            }
            if (IsFree(port))
            {
                return new PortReservation(port, held);
            }
            held.Dispose();
        }
        throw new InvalidOperationException($"No free port between {First} and {First + Count}.");
    }

    // The lock file stays: deleting it would let two processes lock two files of the same name.
    public void Dispose() => _lock.Dispose();

    private static bool IsFree(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
