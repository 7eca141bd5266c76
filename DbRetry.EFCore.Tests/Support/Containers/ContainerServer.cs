using Npgsql;
using Respawn;
using Testcontainers.PostgreSql;

namespace DbRetry.EFCore.Tests.Support.Containers;

/// <summary>
/// Compiled only with <c>-p:UseTestcontainers=true</c>: one PostgreSQL in a container stands where <c>DBRETRY_TEST_DSN</c> would. Testcontainers
/// removes it when the process ends.
/// </summary>
[TestClass]
public class ContainerServer
{
    public required TestContext TestContext { get; set; }

    internal static async Task StartAsync(CancellationToken cancellationToken)
    {
        var container = new PostgreSqlBuilder("postgres:17").Build();
        await container.StartAsync(cancellationToken);
        Environment.SetEnvironmentVariable(SharedCluster.ServerVariable, container.GetConnectionString());
    }

    /// <summary>Empties every table of a database.</summary>
    internal static async Task ResetAsync(NpgsqlConnection connection)
    {
        var respawner = await Respawner.CreateAsync(connection, new RespawnerOptions { DbAdapter = DbAdapter.Postgres });
        await respawner.ResetAsync(connection);
    }

    [TestMethod]
    public async Task A_database_in_the_container_is_emptied()
    {
        await using var database = await TestDatabase.CreateAsync(TestContext.CancellationToken);
        await using var connection = await database.OpenAsync(TestContext.CancellationToken);
        await connection.ExecuteAsync("create table t(n int); insert into t values (1)", TestContext.CancellationToken);

        await ResetAsync(connection);

        Assert.AreEqual(0L, await connection.ScalarAsync("select count(*) from t", TestContext.CancellationToken));
    }
}
