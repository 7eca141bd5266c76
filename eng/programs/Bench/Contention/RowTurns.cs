using System.Buffers.Binary;
using System.Net.Sockets;

namespace DbRetry.Bench.Contention;

/// <summary>One queue per row for the writers of all processes: a writer asks for a row, is told when it is its turn, and says when it is done.</summary>
internal sealed class RowTurns : IDisposable
{
    private readonly Socket[] _sockets;

    private RowTurns(Socket[] sockets) => _sockets = sockets;

    /// <summary>Serves them until it is cancelled.</summary>
    public static async Task ServeAsync(string path, int rows, CancellationToken cancellationToken)
    {
        SemaphoreSlim[] queues = [.. Enumerable.Range(0, rows).Select(static _ => new SemaphoreSlim(1))];
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        while (true)
        {
            _ = ServeAsync(await listener.AcceptAsync(cancellationToken));
        }

        async Task ServeAsync(Socket writer)
        {
            using (writer)
            {
                var row = new byte[sizeof(int)];
                while (await writer.ReceiveAsync(row, cancellationToken) == row.Length)
                {
                    var queue = queues[BinaryPrimitives.ReadInt32LittleEndian(row) - 1];
                    await queue.WaitAsync(cancellationToken);
                    await writer.SendAsync(row.AsMemory(0, 1), cancellationToken);
                    await writer.ReceiveAsync(row.AsMemory(0, 1), cancellationToken);
                    queue.Release();
                }
            }
        }
    }

    public static async Task<RowTurns> ConnectAsync(string path, int writers)
    {
        var sockets = new Socket[writers];
        for (var i = 0; i < writers; i++)
        {
            sockets[i] = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await sockets[i].ConnectAsync(new UnixDomainSocketEndPoint(path));
        }

        return new(sockets);
    }

    public async Task WaitAsync(int writer, int row)
    {
        var message = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(message, row);
        await _sockets[writer].SendAsync(message);
        await _sockets[writer].ReceiveAsync(message.AsMemory(0, 1));
    }

    public async Task ReleaseAsync(int writer) => await _sockets[writer].SendAsync(new byte[1]);

    public void Dispose()
    {
        foreach (var socket in _sockets)
        {
            socket.Dispose();
        }
    }
}
