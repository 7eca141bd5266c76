using DbRetry.EFCore.Seams;
using DbRetry.EFCore.Tests.Support;
using Npgsql;

namespace DbRetry.EFCore.Tests.Seams;

[TestClass]
public sealed class PoolSizeTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public void This_version_of_Npgsql_has_what_the_seam_leans_on() => Assert.IsTrue(PoolSize.IsAvailable);

    [TestMethod]
    public async Task A_pool_is_empty_until_its_first_connection_is_opened_and_when_its_last_one_was_closed()
    {
        await using var pool = NpgsqlDataSource.Create(await SharedCluster.ServerAsync());
        Assert.IsTrue(PoolSize.IsEmpty(pool));
        await using (await pool.OpenConnectionAsync(Cancellation))
        {
            Assert.IsFalse(PoolSize.IsEmpty(pool), "in use");
        }

        Assert.IsFalse(PoolSize.IsEmpty(pool), "idle");
        pool.Clear();
        Assert.IsTrue(PoolSize.IsEmpty(pool));
    }
}
