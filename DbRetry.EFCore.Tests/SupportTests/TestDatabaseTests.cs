using DbRetry.EFCore.Tests.Support;
using Npgsql;

namespace DbRetry.EFCore.Tests.SupportTests;

[TestClass]
public class TestDatabaseTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_test_database_is_empty_and_gone_after_the_test()
    {
        string connectionString;
        await using (var database = await TestDatabase.CreateAsync(Cancellation))
        {
            connectionString = database.ConnectionString;
            await database.ExecuteAsync("create table t(i int)", Cancellation);
            Assert.AreEqual(0L, await database.ScalarAsync<long>("select count(*) from t", Cancellation));
        }
        await using var late = new NpgsqlConnection(connectionString);
        var gone = await Assert.ThrowsAsync<PostgresException>(() => late.OpenAsync(Cancellation));
        Assert.AreEqual(PostgresErrorCodes.InvalidCatalogName, gone.SqlState);
    }

    [TestMethod]
    public async Task A_test_database_of_a_cluster_is_on_every_node_at_once()
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var database = await TestDatabase.CreateAsync(cluster, Cancellation);
        for (var node = 0; node < cluster.NodeCount; node++)
        {
            await using var connection = await cluster.AdminConnectionAsync(node, database.Name, Cancellation);
        }
    }
}
