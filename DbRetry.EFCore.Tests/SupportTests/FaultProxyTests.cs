using System.Diagnostics;
using System.Net.Sockets;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Npgsql;

namespace DbRetry.EFCore.Tests.SupportTests;

[TestClass]
public class FaultProxyTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_query_passes_and_is_recorded_message_by_message()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var connection = await proxy.OpenAsync();
        proxy.Arm();

        Assert.AreEqual(1, await connection.ScalarAsync("select 1"));

        // Parse, Bind, Describe, Execute, Sync; parse and bind complete, row description, row, command complete, ready.
        Assert.AreEqual("->PBDES <-12TDCZ", Shape(proxy.Messages));
        Assert.AreEqual("select 1", proxy.Messages[0].Sql);
        Assert.AreEqual(11, proxy.MessageCount);
        CollectionAssert.AreEqual(Enumerable.Range(1, 11).ToArray(), proxy.Messages.Select(message => (int)message.Number).ToArray());
    }

    [TestMethod]
    public async Task Startup_messages_are_told_apart_although_they_have_no_type()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var connection = await proxy.OpenAsync("SSL Mode=Prefer;GSS Encryption Mode=Disable");

        var types = string.Concat(proxy.Messages.Select(message => message.Type));
        Assert.StartsWith("?=~R", types);
        Assert.EndsWith("Z", types);
    }

    [TestMethod]
    public async Task A_megabyte_passes_in_both_directions()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var connection = await proxy.OpenAsync();
        var text = new string('x', 1_000_000);

        Assert.AreEqual(text, await connection.ScalarAsync($"select '{text}'"));
    }

    [TestMethod]
    public async Task Latency_and_delay_make_answers_late_and_change_nothing_else()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var connection = await proxy.OpenAsync();
        proxy.Latency = TimeSpan.FromMilliseconds(50);
        var started = Stopwatch.GetTimestamp();
        Assert.AreEqual(5000L, await connection.ScalarAsync("select count(*) from generate_series(1, 5000)"));
        Assert.IsGreaterThanOrEqualTo(100, Stopwatch.GetElapsedTime(started).TotalMilliseconds);

        proxy.Latency = TimeSpan.Zero;
        foreach (var moment in Enum.GetValues<FaultMoment>())
        {
            proxy.Arm(FaultPoint.AtSql("select 1", moment, FaultAction.Delay(TimeSpan.FromMilliseconds(150))));
            started = Stopwatch.GetTimestamp();
            Assert.AreEqual(1, await connection.ScalarAsync("select 1"));
            Assert.IsGreaterThanOrEqualTo(150, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
    }

    [TestMethod]
    public async Task Latency_keeps_the_order_of_many_chunks()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var connection = await proxy.OpenAsync();
        proxy.Latency = TimeSpan.FromMilliseconds(5);
        await using var command = new NpgsqlCommand("select i, repeat('x', 500) from generate_series(1, 4000) i", connection);
        await using var reader = await command.ExecuteReaderAsync(Cancellation);
        for (var i = 1; await reader.ReadAsync(Cancellation); i++)
        {
            Assert.AreEqual(i, reader.GetInt32(0));
        }
    }

    [TestMethod]
    public async Task The_whole_host_can_refuse_ignore_and_come_back()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var open = await proxy.OpenAsync();

        proxy.RefuseConnections();
        var refused = await Assert.ThrowsAsync<NpgsqlException>(() => proxy.OpenAsync());
        Assert.AreEqual(SocketError.ConnectionRefused, (refused.InnerException as SocketException)?.SocketErrorCode);
        Assert.AreEqual(1, await open.ScalarAsync("select 1"));

        proxy.IgnoreConnections();
        var ignored = await Assert.ThrowsAsync<NpgsqlException>(() => proxy.OpenAsync("Timeout=1"));
        Assert.IsInstanceOfType<TimeoutException>(ignored.InnerException);

        proxy.AcceptConnections();
        await using var again = await proxy.OpenAsync();
        Assert.AreEqual(1, await again.ScalarAsync("select 1"));

        proxy.FailAll(FaultAction.Reset);
        await Assert.ThrowsAsync<NpgsqlException>(() => open.ScalarAsync("select 1"));
        await Assert.ThrowsAsync<NpgsqlException>(() => again.ScalarAsync("select 1"));
    }

    [TestMethod]
    public async Task New_connections_go_to_the_new_target()
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var proxy = FaultProxy.Start(cluster.NodeConnectionString(0));
        await using var first = await proxy.OpenAsync(cluster.NodeConnectionString(0), "");
        proxy.Target = FaultProxy.EndPointOf(cluster.NodeConnectionString(1));
        await using var second = await proxy.OpenAsync(cluster.NodeConnectionString(0), "");

        Assert.AreEqual(false, await first.ScalarAsync("select pg_is_in_recovery()"));
        Assert.AreEqual(true, await second.ScalarAsync("select pg_is_in_recovery()"));
    }

    [TestMethod]
    public async Task Without_a_server_the_client_is_reset()
    {
        var cluster = await SharedCluster.SingleAsync();
        await using var nobody = FaultProxy.Start(cluster.NodeConnectionString(0));
        nobody.RefuseConnections();
        await using var proxy = FaultProxy.Start(nobody.Through(cluster.NodeConnectionString(0)));

        await Assert.ThrowsAsync<NpgsqlException>(() => proxy.OpenAsync());
    }

    private static string Shape(IEnumerable<ProxiedMessage> messages)
    {
        var sent = messages.ToLookup(message => message.Sender, message => message.Type);
        return $"->{string.Concat(sent[Sender.Frontend])} <-{string.Concat(sent[Sender.Backend])}";
    }
}
