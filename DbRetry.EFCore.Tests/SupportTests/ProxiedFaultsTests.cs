using System.Net.Sockets;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Npgsql;

namespace DbRetry.EFCore.Tests.SupportTests;

[TestClass]
public class ProxiedFaultsTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_cut_is_an_end_of_stream_and_a_reset_is_a_reset()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        foreach (var (action, expected) in new[] { (FaultAction.Cut, typeof(EndOfStreamException)), (FaultAction.Reset, typeof(IOException)) })
        {
            await using var connection = await proxy.OpenAsync();
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
            await using var connection = await proxy.OpenAsync(database.ConnectionString, "");
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
            await using var connection = await proxy.OpenAsync(database.ConnectionString, "");
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
        await using var connection = await proxy.OpenAsync("Command Timeout=1;Cancellation Timeout=-1");
        proxy.Arm(FaultPoint.AtSql("select 1", FaultMoment.AfterForward, FaultAction.BlackHole));

        var failure = await Assert.ThrowsAsync<NpgsqlException>(() => connection.ScalarAsync("select 1"));

        Assert.IsInstanceOfType<TimeoutException>(failure.InnerException);
        Assert.AreEqual(1, proxy.FaultsFired);
    }

    [TestMethod]
    public async Task Other_connections_and_later_ones_do_not_feel_a_fault()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var bystander = await proxy.OpenAsync();
        await using var victim = await proxy.OpenAsync();
        proxy.Arm(FaultPoint.AtSql("select 2", FaultMoment.BeforeForward, FaultAction.Cut));

        await Assert.ThrowsAsync<NpgsqlException>(() => victim.ScalarAsync("select 2"));

        Assert.AreEqual(2, await bystander.ScalarAsync("select 2"));
        await using var later = await proxy.OpenAsync();
        Assert.AreEqual(2, await later.ScalarAsync("select 2"));
    }

    [TestMethod]
    public async Task A_repeated_fault_fires_every_time()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        proxy.Arm(FaultPoint.AtSql("select 1", FaultMoment.BeforeForward, FaultAction.Cut) with { Repeat = true });
        for (var i = 1; i <= 3; i++)
        {
            await using var connection = await proxy.OpenAsync();
            await Assert.ThrowsAsync<NpgsqlException>(() => connection.ScalarAsync("select 1"));
            Assert.AreEqual(i, proxy.FaultsFired);
        }
    }
}
