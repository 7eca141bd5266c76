using System.Net;
using System.Net.Sockets;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>One server that listens on IPv4, on IPv6 where the machine has it, and on a Unix socket, and that wants a password from one role.</summary>
[TestClass]
public sealed class AddressTests
{
    private static readonly bool HasIPv6 = CanListenOnIPv6();
    private static string _sockets = string.Empty;
    private static LocalCluster? _cluster;

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    private static int Port => _cluster!.Port(0);

    [ClassInitialize]
    public static async Task StartAsync(TestContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (SharedCluster.ExternalServer is not null)
        {
            return; // Each test says that it needs a server of its own.
        }

        _sockets = Directory.CreateTempSubdirectory("dbr").FullName;
        ServerAccount.Current.Own(_sockets);
        _cluster = await SharedCluster.OwnAsync(
            new LocalClusterOptions
            {
                Settings = new Dictionary<string, string>
                {
                    ["listen_addresses"] = HasIPv6 ? "127.0.0.1,::1" : "127.0.0.1",
                    ["unix_socket_directories"] = _sockets,
                },
                AccessRules =
                [
                    "host all secretive 127.0.0.1/32 scram-sha-256",
                    "host all unwelcome 127.0.0.1/32 reject",
                    "host all all ::1/128 trust",
                    "local all all trust",
                ],
            },
            context.CancellationToken);
        await using var admin = await _cluster.AdminConnectionAsync(0, cancellationToken: context.CancellationToken);
        await admin.ExecuteAsync("create role secretive login password 'right'; create role unwelcome login");
    }

    [ClassCleanup]
    public static async Task StopAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
            Directory.Delete(_sockets, recursive: true);
        }
    }

    [TestInitialize]
    public void RequireLocal() => SharedCluster.RequireLocal();

    [TestMethod]
    [DataRow("npgsql", false)]
    [DataRow("npgsql", true)]
    [DataRow("uri", true)]
    [DataRow("one host", true)]
    [DataRow("data source", true)]
    public async Task An_IPv6_address_is_a_host_like_any_other(string form, bool async)
    {
        if (!HasIPv6)
        {
            Assert.Inconclusive("This machine has no ::1 to listen on.");
        }

        var closed = ClosedPort();
        await AssertServedAsync(form, async, $"[::1]:{Port}", $"127.0.0.1:{closed}", "host(inet_server_addr()) = '::1'");
    }

    [TestMethod]
    [DataRow("npgsql", false)]
    [DataRow("npgsql", true)]
    [DataRow("uri", true)]
    [DataRow("one host", true)]
    [DataRow("data source", true)]
    public async Task A_Unix_socket_is_a_host_like_any_other(string form, bool async)
        => await AssertServedAsync(form, async, _sockets, $"127.0.0.1:{ClosedPort()}", "inet_server_addr() is null");

    [TestMethod]
    [DataRow("secretive", "28P01", false)]
    [DataRow("secretive", "28P01", true)]
    [DataRow("unwelcome", "28000", true)]
    public async Task A_refusal_to_let_somebody_in_surfaces_as_itself(string role, string sqlState, bool async)
    {
        var dsn = $"Host=127.0.0.1:{Port},127.0.0.1:{ClosedPort()};Username={role};Password=wrong-one;Database=postgres";
        await using var context = HostBed.Context(dsn);
        var error = await Assert.ThrowsExactlyAsync<PostgresException>(() => context.PortAsync(async, Cancellation));
        Assert.AreEqual(sqlState, error.SqlState);
        Assert.DoesNotContain("wrong-one", error.ToString());
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_password_that_a_data_source_provides_is_used_for_each_of_its_hosts(bool async)
    {
        var asked = 0;
        await using var context = HostBed.Context(
            $"Host=127.0.0.1:{ClosedPort()},127.0.0.1:{Port};Username=secretive;Database=postgres;Pooling=false",
            npgsql: npgsql => npgsql.ConfigureDataSource(builder => builder.UsePasswordProvider(
                _ => Right(),
                (_, _) => ValueTask.FromResult(Right()))));
        for (var i = 0; i < 2; i++)
        {
            Assert.AreEqual(Port, await context.PortAsync(async, Cancellation));
        }

        Assert.IsGreaterThanOrEqualTo(2, asked);

        string Right()
        {
            asked++;
            return "right";
        }
    }

    [TestMethod]
    public async Task A_password_that_a_data_source_renews_is_used_for_each_of_its_hosts()
    {
        await using var dataSource = new NpgsqlDataSourceBuilder(
                $"Host=127.0.0.1:{ClosedPort()},127.0.0.1:{Port};Username=secretive;Database=postgres;Application Name=renewed")
            .UsePeriodicPasswordProvider((_, _) => ValueTask.FromResult("right"), TimeSpan.FromHours(1), TimeSpan.FromSeconds(1))
            .BuildMultiHost();
        await using var context = HostBed.Build(builder => builder.UseNpgsql(dataSource).UseDbRetry());
        Assert.AreEqual(Port, await context.PortAsync(async: true, Cancellation));
    }

    private static bool CanListenOnIPv6()
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.IPv6Loopback, 0));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    // Nobody listens there: the port is ours no more, and was not given to a server.
    private static int ClosedPort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private async Task AssertServedAsync(string form, bool async, string host, string closed, string proof)
    {
        var npgsql = $"Host={closed},{host};Port={Port};Username=postgres;Database=postgres";
        await using var dataSource = NpgsqlDataSource.Create(npgsql);
        await using var context = form switch
        {
            "uri" => HostBed.Context($"postgresql://postgres@/postgres?host={closed.Split(':')[0]}&host={Uri.EscapeDataString(Bare(host))}&port={closed.Split(':')[1]},{Port}"),
            "one host" => HostBed.Context($"Host={Bare(host)};Port={Port};Username=postgres;Database=postgres"),
            "data source" => HostBed.Build(builder => builder.UseNpgsql(dataSource).UseDbRetry()),
            _ => HostBed.Context(npgsql),
        };
        var sql = $"select {proof} as \"Value\"";
        for (var i = 0; i < 2; i++)
        {
            var proven = context.Database.SqlQueryRaw<bool>(sql);
            Assert.IsTrue(async ? await proven.SingleAsync(Cancellation) : proven.Single());
        }

        static string Bare(string host) => host.StartsWith('[') ? host[1..host.IndexOf(']')] : host;
    }
}
