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
        await using var connection = await OpenAsync(proxy);
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
        await using var connection = await OpenAsync(proxy, "SSL Mode=Prefer;GSS Encryption Mode=Disable");

        var types = string.Concat(proxy.Messages.Select(message => message.Type));
        Assert.StartsWith("?=~R", types);
        Assert.EndsWith("Z", types);
    }

    [TestMethod]
    public async Task A_megabyte_passes_in_both_directions()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var connection = await OpenAsync(proxy);
        var text = new string('x', 1_000_000);

        Assert.AreEqual(text, await connection.ScalarAsync($"select '{text}'"));
    }

    [TestMethod]
    public async Task A_cut_is_an_end_of_stream_and_a_reset_is_a_reset()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        foreach (var (action, expected) in new[] { (FaultAction.Cut, typeof(EndOfStreamException)), (FaultAction.Reset, typeof(IOException)) })
        {
            await using var connection = await OpenAsync(proxy);
            proxy.Arm(FaultPoint.AtSql("select 2", FaultMoment.BeforeForward, action));
            Assert.AreEqual(1, await connection.ScalarAsync("select 1"));

            var failure = await Assert.ThrowsAsync<NpgsqlException>(() => connection.ScalarAsync("select 2"));

            Assert.IsInstanceOfType(failure.InnerException, expected);
            Assert.AreEqual("select 2", (await proxy.FirstFault).Sql);
            Assert.AreEqual(
                action == FaultAction.Reset ? SocketError.ConnectionReset : null,
                (failure.InnerException?.InnerException as SocketException)?.SocketErrorCode);
        }
    }

    [TestMethod]
    [DataRow(FaultMoment.BeforeForward, 0L)]
    [DataRow(FaultMoment.AfterProcessed, 1L)]
    public async Task The_moment_of_a_cut_at_commit_decides_what_becomes_of_it(object moment, long rows)
    {
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        await database.ExecuteAsync("create table t(i int)", Cancellation);
        await using var proxy = FaultProxy.Start(database.ConnectionString);
        foreach (var action in new[] { FaultAction.Cut, FaultAction.Reset })
        {
            await database.ExecuteAsync("truncate t", Cancellation);
            await using var connection = await OpenAsync(proxy, database.ConnectionString, "Pooling=false");
            await using var transaction = await connection.BeginTransactionAsync(Cancellation);
            await connection.ScalarAsync("insert into t values (1)");
            proxy.Arm(FaultPoint.AtSql("COMMIT", (FaultMoment)moment, action));

            await Assert.ThrowsAsync<NpgsqlException>(() => transaction.CommitAsync(Cancellation));

            Assert.AreEqual(rows, await database.ScalarAsync<long>("select count(*) from t", Cancellation));
        }
    }

    [TestMethod]
    public async Task Every_message_of_an_autocommit_insert_can_be_the_last()
    {
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        await database.ExecuteAsync("create table t(i int)", Cancellation);
        await using var proxy = FaultProxy.Start(database.ConnectionString);
        var outcomes = "";
        for (var number = 1; number <= 10; number++)
        {
            await database.ExecuteAsync("truncate t", Cancellation);
            await using var connection = await OpenAsync(proxy, database.ConnectionString, "Pooling=false");
            proxy.Arm(FaultPoint.AtMessage(number, FaultMoment.BeforeForward, FaultAction.Reset));

            await Assert.ThrowsAsync<NpgsqlException>(() => connection.ScalarAsync("insert into t values (1)"));

            outcomes += await database.ScalarAsync<long>("select count(*) from t", Cancellation);
        }

        // PBDES never reach the server whole; 1, 2, n, C, Z come when it has committed.
        Assert.AreEqual("0000011111", outcomes);
    }

    [TestMethod]
    public async Task A_black_hole_keeps_the_connection_open_and_silent()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var connection = await OpenAsync(proxy, "Command Timeout=1;Cancellation Timeout=-1");
        proxy.Arm(FaultPoint.AtSql("select 1", FaultMoment.AfterForward, FaultAction.BlackHole));

        var failure = await Assert.ThrowsAsync<NpgsqlException>(() => connection.ScalarAsync("select 1"));

        Assert.IsInstanceOfType<TimeoutException>(failure.InnerException);
        Assert.AreEqual(1, proxy.FaultsFired);
    }

    [TestMethod]
    public async Task Other_connections_and_later_ones_do_not_feel_a_fault()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var bystander = await OpenAsync(proxy);
        await using var victim = await OpenAsync(proxy);
        proxy.Arm(FaultPoint.AtSql("select 2", FaultMoment.BeforeForward, FaultAction.Cut));

        await Assert.ThrowsAsync<NpgsqlException>(() => victim.ScalarAsync("select 2"));

        Assert.AreEqual(2, await bystander.ScalarAsync("select 2"));
        await using var later = await OpenAsync(proxy);
        Assert.AreEqual(2, await later.ScalarAsync("select 2"));
    }

    [TestMethod]
    public async Task A_repeated_fault_fires_every_time()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        proxy.Arm(FaultPoint.AtSql("select 1", FaultMoment.BeforeForward, FaultAction.Cut) with { Repeat = true });
        for (var i = 1; i <= 3; i++)
        {
            await using var connection = await OpenAsync(proxy);
            await Assert.ThrowsAsync<NpgsqlException>(() => connection.ScalarAsync("select 1"));
            Assert.AreEqual(i, proxy.FaultsFired);
        }
    }

    [TestMethod]
    public async Task Latency_and_delay_make_answers_late_and_change_nothing_else()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var connection = await OpenAsync(proxy);
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
        await using var connection = await OpenAsync(proxy);
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
        await using var open = await OpenAsync(proxy);

        proxy.RefuseConnections();
        var refused = await Assert.ThrowsAsync<NpgsqlException>(() => OpenAsync(proxy));
        Assert.AreEqual(SocketError.ConnectionRefused, (refused.InnerException as SocketException)?.SocketErrorCode);
        Assert.AreEqual(1, await open.ScalarAsync("select 1"));

        proxy.IgnoreConnections();
        var ignored = await Assert.ThrowsAsync<NpgsqlException>(() => OpenAsync(proxy, "Timeout=1"));
        Assert.IsInstanceOfType<TimeoutException>(ignored.InnerException);

        proxy.AcceptConnections();
        await using var again = await OpenAsync(proxy);
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
        await using var first = await OpenAsync(proxy, cluster.NodeConnectionString(0), "Pooling=false");
        proxy.Target = FaultProxy.EndPointOf(cluster.NodeConnectionString(1));
        await using var second = await OpenAsync(proxy, cluster.NodeConnectionString(0), "Pooling=false");

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

        await Assert.ThrowsAsync<NpgsqlException>(() => OpenAsync(proxy));
    }

    private static string Shape(IEnumerable<ProxiedMessage> messages)
    {
        var sent = messages.ToLookup(message => message.Sender, message => message.Type);
        return $"->{string.Concat(sent[Sender.Frontend])} <-{string.Concat(sent[Sender.Backend])}";
    }

    private static async Task<NpgsqlConnection> OpenAsync(FaultProxy proxy, string more = "Pooling=false") =>
        await OpenAsync(proxy, await SharedCluster.ServerAsync(), more + ";Pooling=false");

    private static async Task<NpgsqlConnection> OpenAsync(FaultProxy proxy, string connectionString, string more)
    {
        var connection = new NpgsqlConnection($"{proxy.Through(connectionString)};{more}");
        try
        {
            await connection.OpenAsync();
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }
}
