using DbRetry.EFCore.Tests.Support;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>25006 is how a former primary answers a write; Npgsql does not count it as transient.</summary>
[TestClass]
public class ReadOnlyErrorsTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow("create table t(i int)")]
    [DataRow("select pg_current_xact_id()")]
    [DataRow("select nextval('s')")]
    public async Task A_standby_refuses_every_write(string sql)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var database = await TestDatabase.CreateAsync(cluster, Cancellation);
        await using (var primary = await cluster.AdminConnectionAsync(cluster.PrimaryIndex, database.Name, Cancellation))
        {
            await primary.ExecuteAsync("create sequence s", Cancellation);
        }
        await cluster.WaitForReplayAsync(Cancellation);
        await using var standby = await cluster.AdminConnectionAsync(1, database.Name, Cancellation);

        var failure = await Assert.ThrowsAsync<PostgresException>(() => standby.ScalarAsync(sql, Cancellation));

        Assert.AreEqual(PostgresErrorCodes.ReadOnlySqlTransaction, failure.SqlState);
        Assert.IsFalse(failure.IsTransient);
    }

    [TestMethod]
    public async Task A_read_only_session_on_a_primary_is_refused_the_same_way()
    {
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        await using var connection = await database.OpenAsync(Cancellation);
        await connection.ExecuteAsync("set default_transaction_read_only = on", Cancellation);

        var failure = await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync("create table t(i int)", Cancellation));

        Assert.AreEqual(PostgresErrorCodes.ReadOnlySqlTransaction, failure.SqlState);
        Assert.IsFalse(failure.IsTransient);
    }
}
