using System.Net;
using System.Net.Sockets;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>
/// A port that answers the first bytes of every connection with fixed ones and then hangs up, or says nothing for ever: what a client sees of a server
/// that is not there, without one.
/// </summary>
internal sealed class ScriptedListener : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;

    /// <param name="answer">What is sent; <see langword="null"/>: nothing, and the connection stays.</param>
    internal ScriptedListener(byte[]? answer)
    {
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _serving = ServeAsync(answer);
    }

    internal int Port { get; }

    /// <summary>A port that nobody listens on.</summary>
    internal static int ClosedPort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _serving;
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task ServeAsync(byte[]? answer)
    {
        var kept = new List<Socket>();
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync(_stop.Token);
                kept.Add(socket);
                if (answer is null)
                {
                    continue;
                }

                await socket.ReceiveAsync(new byte[1024], _stop.Token);
                if (answer.Length > 0)
                {
                    await socket.SendAsync(answer, _stop.Token);
                }

                socket.Shutdown(SocketShutdown.Send);
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
        finally
        {
            kept.ForEach(socket => socket.Dispose());
        }
    }
}
