using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>When a transaction gets its id, and what a server says of one, today and after it has lost it.</summary>
[TestClass]
public sealed class TransactionStatusFacts
{
    private const string AssignedId = "select pg_current_xact_id_if_assigned()::text";

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow("select * from t", false)]
    [DataRow("update t set i = 2 where i = 0", false)]
    [DataRow("lock table t in share mode", false)]
    [DataRow("notify someone", false)]
    [DataRow("insert into t values (2)", true)]
    [DataRow("select * from t for update", true)]
    [DataRow("create temporary table own (i int)", true)]
    [DataRow("select nextval('s')", true)]
    public async Task A_transaction_gets_its_id_with_its_first_write_and_row_locks_are_writes(string sql, bool writes)
    {
        await using var database = await DatabaseAsync();
        await using var connection = await database.OpenAsync(Cancellation);
        await using var transaction = await connection.BeginTransactionAsync(Cancellation);
        Assert.AreEqual(DBNull.Value, await connection.ScalarAsync(AssignedId, Cancellation));

        await connection.ExecuteAsync(sql, Cancellation);

        Assert.AreEqual(writes, await connection.ScalarAsync(AssignedId, Cancellation) is string);
    }

    [TestMethod]
    public async Task Inside_a_savepoint_the_id_is_that_of_the_whole_transaction()
    {
        await using var database = await DatabaseAsync();
        await using var connection = await database.OpenAsync(Cancellation);
        await using var transaction = await connection.BeginTransactionAsync(Cancellation);
        await connection.ExecuteAsync("savepoint a; insert into t values (2)", Cancellation);
        var inside = await connection.ScalarAsync(AssignedId, Cancellation);

        await connection.ExecuteAsync("release savepoint a; insert into t values (3)", Cancellation);

        Assert.AreEqual(inside, await connection.ScalarAsync(AssignedId, Cancellation));
        Assert.AreEqual(inside, await connection.ScalarAsync("select pg_current_xact_id()::text", Cancellation));
    }

    [TestMethod]
    public async Task The_status_says_in_progress_then_committed_or_aborted()
    {
        await using var database = await DatabaseAsync();
        await using var connection = await database.OpenAsync(Cancellation);
        foreach (var end in new[] { "commit", "rollback" })
        {
            await connection.ExecuteAsync("begin", Cancellation);
            var xid = await TakeIdAsync(connection);
            Assert.AreEqual("in progress", await StatusAsync(database, xid));

            await connection.ExecuteAsync(end, Cancellation);

            Assert.AreEqual(end == "commit" ? "committed" : "aborted", await StatusAsync(database, xid));
        }
    }

    [TestMethod]
    public async Task An_id_that_was_not_handed_out_is_an_error_and_one_that_is_too_old_is_null()
    {
        await using var database = await DatabaseAsync();

        var error = await Assert.ThrowsAsync<PostgresException>(() => StatusAsync(database, "1000000000000"));

        Assert.AreEqual(PostgresErrorCodes.InvalidParameterValue, error.SqlState);
        StringAssert.Contains(error.MessageText, "is in the future");
        Assert.AreEqual(string.Empty, await StatusAsync(database, "0"));
    }

    [TestMethod]
    public async Task After_a_crash_an_id_whose_WAL_was_lost_is_handed_out_again_and_the_status_is_the_strangers()
    {
        await using var cluster = await SharedCluster.OwnAsync(NothingFlushes, Cancellation);
        var lost = await LoseTransactionAsync(cluster, _ => cluster.KillAsync(0, Cancellation));
        await cluster.StartNodeAsync(0, Cancellation);
        await BelievesStrangerAsync(cluster, lost);
    }

    [TestMethod]
    public async Task The_kill_of_any_one_backend_is_enough_for_that()
    {
        await using var cluster = await SharedCluster.OwnAsync(NothingFlushes, Cancellation);
        await using var bystander = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation);
        var lost = await LoseTransactionAsync(cluster, async connection =>
        {
            cluster.KillBackend(0, bystander.ProcessID);
            await Assert.ThrowsAsync<NpgsqlException>(() => connection.ScalarAsync("select pg_sleep(60)", Cancellation));
        });
        await cluster.WaitForNodeAsync(0, Cancellation);
        await BelievesStrangerAsync(cluster, lost);
    }

    [TestMethod]
    public async Task After_a_promotion_the_same_happens_to_an_id_that_was_not_replicated()
    {
        await using var cluster = await SharedCluster.OwnAsync(NothingFlushes with { Nodes = 2 }, Cancellation);
        var lost = await LoseTransactionAsync(cluster, _ => cluster.KillAsync(0, Cancellation));
        await cluster.PromoteAsync(1, Cancellation);
        await BelievesStrangerAsync(cluster, lost);
    }

    private static LocalClusterOptions NothingFlushes => new()
    {
        Settings = new Dictionary<string, string> { ["wal_writer_delay"] = "10s", ["autovacuum"] = "off" },
    };

    /// <summary>Writes a 7 with the next id after what is flushed and replicated, and loses it.</summary>
    private async Task<string> LoseTransactionAsync(LocalCluster cluster, Func<NpgsqlConnection, Task> crash)
    {
        await using (var admin = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation))
        {
            await admin.ExecuteAsync("create table t (i int)", Cancellation);
        }

        await cluster.WaitForReplayAsync(Cancellation);
        using var held = await cluster.HoldAsync(0, "walwriter", Cancellation);
        await using var connection = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation);
        await connection.ExecuteAsync("begin", Cancellation);
        var xid = await TakeIdAsync(connection, value: 7);
        await crash(connection);
        return xid;
    }

    private async Task BelievesStrangerAsync(LocalCluster cluster, string lost)
    {
        await using var stranger = await cluster.AdminConnectionAsync(cluster.PrimaryIndex, cancellationToken: Cancellation);
        string taken;
        do
        {
            taken = await TakeIdAsync(stranger);
        }
        while (ulong.Parse(taken) < ulong.Parse(lost));

        Assert.AreEqual(0L, await stranger.ScalarAsync("select count(*) from t where i = 7", Cancellation));
        Assert.AreEqual("committed", await stranger.ScalarAsync($"select pg_xact_status('{lost}')", Cancellation));
    }

    private async Task<string> TakeIdAsync(NpgsqlConnection connection, int value = 9)
        => (string)(await connection.ScalarAsync($"insert into t values ({value}) returning pg_current_xact_id()::text", Cancellation))!;

    private async Task<string?> StatusAsync(TestDatabase database, string xid)
        => await database.ScalarAsync<string>($"select coalesce(pg_xact_status('{xid}'), '')", Cancellation);

    private async Task<TestDatabase> DatabaseAsync()
    {
        var database = await TestDatabase.CreateAsync(Cancellation);
        await database.ExecuteAsync("create table t (i int); insert into t values (1); create sequence s", Cancellation);
        return database;
    }
}
