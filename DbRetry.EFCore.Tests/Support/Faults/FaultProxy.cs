using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>
/// A TCP proxy on a loopback port that understands PostgreSQL's message framing, passes traffic on message by message, keeps a
/// record of it, and fails where it is told to.
/// </summary>
internal sealed class FaultProxy : IAsyncDisposable
{
    // A process that another test starts has the sockets of this one until it runs its program: a listener that was closed listens on for that long.
    private static readonly TimeSpan LongestFork = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<int, ProxiedConnection> _connections = new();
    private readonly ConcurrentDictionary<int, Task> _serving = new();
    private readonly FaultScript _script = new();
    private readonly Lock _listenerLock = new();
    private readonly PortReservation? _port;
    private readonly IPAddress _address;
    private long _latencyTicks;
    private int _lastConnection;
    private Socket _listener;
    private Task _accepting;
    private bool _refusing;
    private Socket? _filler;
    private volatile bool _ignoring;
    private volatile EndPoint _target;

    private FaultProxy(EndPoint target, IPAddress address, FaultProxy? beside = null)
    {
        _target = target;
        _address = address;
        _port = beside is null ? PortReservation.Take() : null;
        Port = beside?.Port ?? _port!.Port;
        _listener = Bind();
        _listener.Listen();
        _accepting = AcceptAsync(_listener);
    }

    public int Port { get; }

    /// <summary>Where new connections go.</summary>
    public EndPoint Target
    {
        get => _target;
        set => _target = value;
    }

    /// <summary>Added to everything, each way.</summary>
    public TimeSpan Latency
    {
        get => new(Interlocked.Read(ref _latencyTicks));
        set => Interlocked.Exchange(ref _latencyTicks, value.Ticks);
    }

    /// <summary>Off, messages are counted and not kept, for tests that send millions.</summary>
    public bool Recording
    {
        get => _script.Recording;
        set => _script.Recording = value;
    }

    /// <summary>What passed since the proxy was armed last, in the order in which it came by.</summary>
    public IReadOnlyList<ProxiedMessage> Messages => _script.Messages;

    public long MessageCount => _script.Count;

    /// <summary>Connections accepted over the life of the proxy, ignored ones included.</summary>
    public int ConnectionCount => Volatile.Read(ref _lastConnection);

    /// <summary>Whether a client whose connection is ignored has said anything: it has noticed that it is connected, and waits for an answer.</summary>
    public bool IsAskedInVain => _ignoring && _connections.Values.Any(static connection => connection.HasUnread);

    /// <summary>Whether anybody has asked for types: a pool does with its first connection.</summary>
    public bool IsAskedForTypes => Messages.Any(static message => message.IsSql("pg_type"));

    public int FaultsFired => _script.FiredCount;

    /// <summary>Completes with the message that set off the first fault since the proxy was armed last.</summary>
    public Task<ProxiedMessage> FirstFault => _script.Fired;

    /// <summary>In front of the first host of a connection string.</summary>
    public static FaultProxy Start(string connectionString) => Start(EndPointOf(connectionString));

    public static FaultProxy Start(EndPoint target) => new(target, IPAddress.Loopback);

    /// <summary>On another address of this machine, and the same port, which stays reserved for as long as the first proxy lives (Linux).</summary>
    public FaultProxy StartBeside(string connectionString, string address) => new(EndPointOf(connectionString), IPAddress.Parse(address), this);

    /// <summary>The first host of a connection string.</summary>
    public static EndPoint EndPointOf(string connectionString)
    {
        var server = new NpgsqlConnectionStringBuilder(connectionString);
        var host = (server.Host ?? "localhost").Split(',')[0].Split(':');
        return new DnsEndPoint(host[0], host.Length > 1 ? int.Parse(host[1]) : server.Port);
    }

    /// <summary>The connection string with these proxies, in this order, in place of its hosts.</summary>
    public static string Through(string connectionString, params IEnumerable<FaultProxy> proxies) =>
        new NpgsqlConnectionStringBuilder(connectionString)
        {
            Host = string.Join(',', proxies.Select(proxy => $"127.0.0.1:{proxy.Port}")),
        }.ConnectionString;

    public string Through(string connectionString) => Through(connectionString, this);

    /// <summary>Starts to count and record anew, with these faults and no others.</summary>
    public void Arm(params IEnumerable<FaultPoint> faults) => _script.Arm(faults);

    /// <summary>One more fault; the count goes on.</summary>
    public void FailAt(FaultPoint fault) => _script.Add(fault);

    /// <summary>Does the same to all connections that are open now.</summary>
    public void FailAll(FaultAction action)
    {
        foreach (var connection in _connections.Values)
        {
            connection.Fail(action);
        }
    }

    /// <summary>New connections are refused, as by a host without a server. Open ones go on.</summary>
    public void RefuseConnections()
    {
        lock (_listenerLock)
        {
            if (!_refusing)
            {
                _refusing = true;
                _listener.Dispose();
                _listener = Bind(); // Not listening, but the port stays ours.
            }
        }
    }

    /// <summary>New connections are accepted and get no answer ever. Open ones go on.</summary>
    public void IgnoreConnections()
    {
        AcceptConnections();
        _ignoring = true;
    }

    /// <summary>New connections are never established, as if every packet to the host were lost (Linux). Open ones go on.</summary>
    public void DropConnections()
    {
        lock (_listenerLock)
        {
            RefuseConnections();

            // Linux drops what a full queue cannot take, and a queue of this length is full with one.
            _listener.Listen(0);
            _filler = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            _filler.Connect(_address, Port);
        }
    }

    /// <summary>New connections are served again.</summary>
    public void AcceptConnections()
    {
        lock (_listenerLock)
        {
            _ignoring = false;
            _filler?.Dispose();
            _filler = null;
            if (_refusing)
            {
                _refusing = false;
                _listener.Listen();
                _accepting = AcceptAsync(_listener);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        _filler?.Dispose();
        await _accepting;
        foreach (var connection in _connections.Values)
        {
            connection.Dispose();
        }
        await Task.WhenAll(_serving.Values);
        _port?.Dispose();
    }

    private Socket Bind()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        for (var since = Stopwatch.GetTimestamp(); ;)
        {
            try
            {
                socket.Bind(new IPEndPoint(_address, Port));
                return socket;
            }
            catch (SocketException inUse) when (inUse.SocketErrorCode is SocketError.AddressAlreadyInUse && Stopwatch.GetElapsedTime(since) < LongestFork)
            {
                Thread.Sleep(1);
            }
        }
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await listener.AcceptAsync();
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
            {
                return; // No longer listening.
            }
            client.NoDelay = true;
            var number = Interlocked.Increment(ref _lastConnection);
            var connection = new ProxiedConnection(number, client, _script, () => Latency);
            _connections[number] = connection;
            if (!_ignoring)
            {
                _serving[number] = ServeAsync(number, connection);
            }
        }
    }

    private async Task ServeAsync(int number, ProxiedConnection connection)
    {
        if (await connection.RunAsync(_target))
        {
            _connections.TryRemove(number, out _);
        }
    }
}
