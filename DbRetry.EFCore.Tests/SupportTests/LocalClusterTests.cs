using System.Diagnostics;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.EFCore.Tests.SupportTests;

[TestClass]
public class LocalClusterTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task Three_nodes_start_and_both_standbys_stream()
    {
        var started = Stopwatch.GetTimestamp();
        await using var cluster = await SharedCluster.OwnAsync(new() { Nodes = 3 }, Cancellation);
        TestContext.WriteLine($"three nodes: {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms");

        await using var primary = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation);
        Assert.AreEqual(2L, await primary.ScalarAsync("select count(*) from pg_stat_replication where state = 'streaming'"));
        for (var node = 0; node < 3; node++)
        {
            await using var connection = await cluster.AdminConnectionAsync(node, cancellationToken: Cancellation);
            Assert.AreEqual(node != 0, await connection.ScalarAsync("select pg_is_in_recovery()"));
        }
    }

    [TestMethod]
    public async Task A_killed_primary_is_replaced_and_rejoins_as_a_standby()
    {
        await using var cluster = await SharedCluster.OwnAsync(new() { Nodes = 3, Synchronous = true }, Cancellation);
        var database = await cluster.CreateDatabaseAsync(cancellationToken: Cancellation);
        await ExecuteAsync(cluster, database, "create table t(i int); insert into t values (1)");

        var started = Stopwatch.GetTimestamp();
        await cluster.KillAsync(0, Cancellation);
        var promotion = await cluster.FailoverAsync(Cancellation);
        TestContext.WriteLine($"kill to first write: {Stopwatch.GetElapsedTime(started, promotion.FirstWriteTimestamp).TotalMilliseconds:0} ms");
        Assert.AreNotEqual(0, promotion.Node);
        Assert.AreEqual(promotion.Node, cluster.PrimaryIndex);
        await ExecuteAsync(cluster, database, "insert into t values (2)");

        started = Stopwatch.GetTimestamp();
        await cluster.RejoinAsync(0, Cancellation);
        TestContext.WriteLine($"rejoin: {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms");
        await cluster.WaitForReplayAsync(Cancellation);
        await using var standby = await cluster.AdminConnectionAsync(0, database, Cancellation);
        Assert.AreEqual(2L, await standby.ScalarAsync("select count(*) from t"));
        Assert.AreEqual(true, await standby.ScalarAsync("select pg_is_in_recovery()"));
    }

    [TestMethod]
    public async Task A_primary_rejoins_by_a_copy_where_there_is_no_pg_rewind()
    {
        await using var cluster = await SharedCluster.OwnAsync(new() { Nodes = 2 }, Cancellation);
        await cluster.KillAsync(0, Cancellation);
        await cluster.FailoverAsync(Cancellation);

        await cluster.RejoinByCopyAsync(0, Cancellation);

        await using var standby = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation);
        Assert.AreEqual(true, await standby.ScalarAsync("select pg_is_in_recovery()"));
    }

    [TestMethod]
    public async Task A_node_stops_in_every_mode_and_starts_again_with_its_data()
    {
        await using var cluster = await SharedCluster.OwnAsync(cancellationToken: Cancellation);
        await ExecuteAsync(cluster, "postgres", "create table t(i int)");
        foreach (var mode in Enum.GetValues<StopMode>())
        {
            await cluster.StopAsync(0, mode, Cancellation);
            Assert.IsFalse(cluster.IsRunning(0));
            await cluster.StartNodeAsync(0, Cancellation);
            await ExecuteAsync(cluster, "postgres", "insert into t values (1)");
        }
    }

    [TestMethod]
    public async Task Killing_one_backend_restarts_the_server_for_everybody()
    {
        await using var cluster = await SharedCluster.OwnAsync(cancellationToken: Cancellation);
        await using var victim = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation);
        await using var bystander = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation);

        cluster.KillBackend(0, victim.ProcessID);

        await Assert.ThrowsAsync<NpgsqlException>(() => bystander.ScalarAsync("select pg_sleep(30)"));
        await cluster.WaitForNodeAsync(0, Cancellation);
    }

    [TestMethod]
    public async Task Terminated_backends_are_those_of_the_given_application()
    {
        await using var cluster = await SharedCluster.OwnAsync(cancellationToken: Cancellation);
        await using var victim = new NpgsqlConnection(cluster.NodeConnectionString(0) + ";Application Name=victim;Pooling=false");
        await using var bystander = new NpgsqlConnection(cluster.NodeConnectionString(0) + ";Application Name=bystander;Pooling=false");
        await victim.OpenAsync(Cancellation);
        await bystander.OpenAsync(Cancellation);

        Assert.AreEqual(1, await cluster.TerminateBackendsAsync(0, "victim", Cancellation));

        await Assert.ThrowsAsync<NpgsqlException>(() => victim.ScalarAsync("select 1"));
        Assert.AreEqual(1, await bystander.ScalarAsync("select 1"));
    }

    [TestMethod]
    public async Task A_frozen_node_answers_again_when_it_is_thawed()
    {
        await using var cluster = await SharedCluster.OwnAsync(cancellationToken: Cancellation);
        cluster.Freeze(0);
        await using var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(cluster.NodeConnectionString(0)) { Timeout = 1, Pooling = false }.ConnectionString);
        var failure = await Assert.ThrowsAsync<NpgsqlException>(() => connection.OpenAsync(Cancellation));
        Assert.IsInstanceOfType<TimeoutException>(failure.InnerException);

        cluster.Thaw(0);

        await cluster.WaitForNodeAsync(0, Cancellation);
    }

    [TestMethod]
    public async Task A_server_that_does_not_start_says_why()
    {
        SharedCluster.RequireLocal();
        var failure = await Assert.ThrowsAsync<ServerStartException>(() => SharedCluster.OwnAsync(
            new() { Settings = new Dictionary<string, string> { ["work_mem"] = "much" } }, Cancellation));
        Assert.Contains("work_mem", failure.Message);
    }

    private static async Task ExecuteAsync(LocalCluster cluster, string database, string sql)
    {
        await using var connection = await cluster.AdminConnectionAsync(cluster.PrimaryIndex, database);
        await connection.ExecuteAsync(sql);
    }
}
