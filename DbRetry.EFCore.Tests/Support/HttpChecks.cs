using System.Net;
using System.Net.Sockets;
using System.Text;

namespace DbRetry.EFCore.Tests.Support;

/// <summary>What the agents of a cluster tell a load balancer over HTTP: 200 on the node that it is to lead to, 503 on the others.</summary>
internal sealed class HttpChecks : IAsyncDisposable
{
    private readonly TcpListener[] _listeners;
    private readonly Task[] _serving;
    private volatile int _primary;
    private volatile bool _over;

    public HttpChecks(int nodes, int primary)
    {
        _primary = primary;
        _listeners = [.. Enumerable.Range(0, nodes).Select(_ => new TcpListener(IPAddress.Loopback, 0))];
        Array.ForEach(_listeners, listener => listener.Start());
        _serving = [.. _listeners.Select(ServeAsync)];
    }

    /// <summary>The node that calls itself the primary.</summary>
    public int Primary
    {
        get => _primary;
        set => _primary = value;
    }

    public int Port(int node) => ((IPEndPoint)_listeners[node].LocalEndpoint).Port;

    public async ValueTask DisposeAsync()
    {
        _over = true;
        Array.ForEach(_listeners, listener => listener.Dispose());
        await Task.WhenAll(_serving);
    }

    private async Task ServeAsync(TcpListener listener, int node)
    {
        while (true)
        {
            try
            {
                using var client = await listener.AcceptTcpClientAsync();
                using var stream = client.GetStream();
                await client.Client.ReceiveAsync(new byte[4096]);
                var status = _primary == node ? "200 OK" : "503 Service Unavailable";
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.0 {status}\r\nContent-Length: 0\r\n\r\n"));
            }
            catch (Exception exception) when (exception is IOException or SocketException or ObjectDisposedException)
            {
                if (_over)
                {
                    return;
                }

                // Whoever asked has gone.
            }
        }
    }
}
