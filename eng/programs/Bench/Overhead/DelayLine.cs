using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace DbRetry.Bench.Overhead;

/// <summary>
/// Forwards connections to a server and delays every byte by the same time, each way, as a longer cable would. A timer of .NET is too coarse for half a
/// millisecond, so each direction has a thread that receives and one that sends.
/// </summary>
internal sealed class DelayLine : IDisposable
{
    private const int ChunkSize = 64 * 1024;

    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly ConcurrentBag<Socket> _sockets = [];
    private readonly IPEndPoint _server;
    private readonly TimeSpan _eachWay;

    public DelayLine(int serverPort, TimeSpan eachWay)
    {
        _server = new(IPAddress.Loopback, serverPort);
        _eachWay = eachWay;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        Start(Accept);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    public void Dispose()
    {
        _listener.Dispose();
        foreach (var socket in _sockets)
        {
            socket.Dispose();
        }
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                var client = _listener.Accept();
                var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                _sockets.Add(client);
                _sockets.Add(server);
                client.NoDelay = true;
                server.NoDelay = true;
                server.Connect(_server);
                Connect(client, server);
                Connect(server, client);
            }
        }
        catch (Exception exception) when (IsOver(exception))
        {
            // Disposed.
        }
    }

    private void Connect(Socket source, Socket sink)
    {
        var underway = new BlockingCollection<Chunk>();
        Start(() => Receive(source, underway));
        Start(() => Send(sink, underway));
    }

    private void Receive(Socket source, BlockingCollection<Chunk> underway)
    {
        var delay = (long)(_eachWay.TotalSeconds * Stopwatch.Frequency);
        try
        {
            while (true)
            {
                var buffer = GC.AllocateUninitializedArray<byte>(ChunkSize);
                var count = source.Receive(buffer);
                if (count == 0)
                {
                    break;
                }
                underway.Add(new(buffer, count, Stopwatch.GetTimestamp() + delay));
            }
        }
        catch (Exception exception) when (IsOver(exception))
        {
            // Reset or disposed: the other side hears of it as of an end.
        }
        underway.CompleteAdding();
    }

    private static void Send(Socket sink, BlockingCollection<Chunk> underway)
    {
        try
        {
            foreach (var chunk in underway.GetConsumingEnumerable())
            {
                SleepUntil(chunk.Due);
                sink.Send(chunk.Buffer, chunk.Count, SocketFlags.None);
            }
            sink.Shutdown(SocketShutdown.Send);
        }
        catch (Exception exception) when (IsOver(exception))
        {
            // As above.
        }
    }

    private static void SleepUntil(long due)
    {
        var left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), due);
        if (left > TimeSpan.Zero)
        {
            var time = new TimeSpec { Nanoseconds = (long)left.TotalNanoseconds };
            _ = Sleep(ref time, IntPtr.Zero);
        }
    }

    private static void Start(Action work) => new Thread(() => work()) { IsBackground = true }.Start();

    private static bool IsOver(Exception exception) => exception is SocketException or ObjectDisposedException;

    [DllImport("libc", EntryPoint = "nanosleep", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Sleep(ref TimeSpec requested, IntPtr remaining);

    private readonly record struct Chunk(byte[] Buffer, int Count, long Due);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
