using System.Net.Sockets;
using System.Text;
using DbRetry.EFCore.Retry;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>Pins the exceptions that Npgsql throws when it cannot connect, against real sockets (Npgsql 10.0.0, NpgsqlConnector.cs:1255-1430).</summary>
[TestClass]
public class ConnectFailureShapesTests
{
    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task a_closed_port_is_a_refused_socket_directly_inside(bool async)
    {
        var error = await OpenAsync($"Host=127.0.0.1;Port={ScriptedListener.ClosedPort()}", async);
        Assert.AreEqual(SocketError.ConnectionRefused, Assert.IsInstanceOfType<SocketException>(error.InnerException).SocketErrorCode);
        AssertKind(FailureKind.HostUnavailable, error, whateverThePhase: true);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task a_name_that_does_not_resolve_is_a_socket_error_directly_inside(bool async)
    {
        var error = await OpenAsync("Host=nonexistent.invalid", async);
        Assert.IsInstanceOfType<SocketException>(error.InnerException);
        AssertKind(FailureKind.HostUnavailable, error, whateverThePhase: true);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task a_host_that_never_answers_looks_like_a_command_timeout(bool async)
    {
        await using var silent = new ScriptedListener(answer: null);
        var error = await OpenAsync($"Host=127.0.0.1;Port={silent.Port};Timeout=1", async);
        Assert.IsInstanceOfType<TimeoutException>(error.InnerException);
        AssertKind(FailureKind.HostUnavailable, error);
        Assert.AreEqual(FailureKind.Permanent, Classify(error, AttemptPhase.None).Kind, "only the phase tells the two apart");
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task a_handshake_that_is_cut_is_an_io_error(bool async)
    {
        await using var rude = new ScriptedListener([]);
        var error = await OpenAsync($"Host=127.0.0.1;Port={rude.Port}", async);
        Assert.IsInstanceOfType<IOException>(error.InnerException);
        AssertKind(FailureKind.HostUnavailable, error);
    }

    [TestMethod]
    public async Task a_tls_handshake_that_is_cut_is_an_io_error()
    {
        await using var rude = new ScriptedListener("S"u8.ToArray());
        var error = await OpenAsync($"Host=127.0.0.1;Port={rude.Port};SSL Mode=Require", async: true);
        Assert.IsInstanceOfType<IOException>(error.InnerException);
        AssertKind(FailureKind.HostUnavailable, error);
    }

    [TestMethod]
    public async Task a_server_without_tls_is_permanent()
    {
        await using var plain = new ScriptedListener("N"u8.ToArray());
        var error = await OpenAsync($"Host=127.0.0.1;Port={plain.Port};SSL Mode=Require", async: true);
        Assert.IsNull(error.InnerException);
        AssertKind(FailureKind.Permanent, error, whateverThePhase: true);
    }

    [TestMethod]
    [DataRow("57P03", nameof(FailureKind.HostUnavailable))]
    [DataRow("53300", nameof(FailureKind.HostUnavailable))]
    [DataRow("28P01", nameof(FailureKind.Permanent))]
    [DataRow("3D000", nameof(FailureKind.Permanent))]
    public async Task a_server_that_refuses_is_heard(string sqlState, string kind)
    {
        await using var server = new ScriptedListener(ErrorResponse(sqlState));
        var error = await OpenAsync($"Host=127.0.0.1;Port={server.Port}", async: true);
        Assert.AreEqual(sqlState, Assert.IsInstanceOfType<PostgresException>(error).SqlState);
        AssertKind(Enum.Parse<FailureKind>(kind), error, whateverThePhase: true);
    }

    [TestMethod]
    [DataRow("57P03", nameof(FailureKind.HostUnavailable))]
    [DataRow("28P01", nameof(FailureKind.Permanent))]
    public async Task several_hosts_end_in_one_aggregate(string sqlState, string kind)
    {
        await using var server = new ScriptedListener(ErrorResponse(sqlState));
        var error = await OpenAsync($"Host=127.0.0.1:{ScriptedListener.ClosedPort()},127.0.0.1:{server.Port};Pooling=true", async: true);
        Assert.IsInstanceOfType<AggregateException>(error.InnerException);
        AssertKind(Enum.Parse<FailureKind>(kind), error, whateverThePhase: true);
    }

    private static void AssertKind(FailureKind kind, Exception error, bool whateverThePhase = false)
    {
        Assert.AreEqual(kind, Classify(error, AttemptPhase.Opening).Kind);
        if (whateverThePhase)
        {
            Assert.AreEqual(kind, Classify(error, AttemptPhase.None).Kind);
        }
    }

    private static Failure Classify(Exception error, AttemptPhase phase)
        => FailureClassifier.Classify(error, phase, connectionBroken: false, FailureRules.None);

    private static byte[] ErrorResponse(string sqlState)
    {
        var fields = Encoding.ASCII.GetBytes($"SFATAL\0VFATAL\0C{sqlState}\0Mno\0RInitPostgres\0\0");
        return [(byte)'E', 0, 0, 0, (byte)(fields.Length + 4), .. fields];
    }

    private async Task<NpgsqlException> OpenAsync(string connectionString, bool async)
    {
        await using var connection = new NpgsqlConnection(
            $"SSL Mode=Disable;GSS Encryption Mode=Disable;Username=u;Password=p;Pooling=false;Timeout=5;{connectionString}");
        return async
            ? await Assert.ThrowsAsync<NpgsqlException>(() => connection.OpenAsync(TestContext.CancellationToken))
            : Assert.Throws<NpgsqlException>(connection.Open);
    }
}
