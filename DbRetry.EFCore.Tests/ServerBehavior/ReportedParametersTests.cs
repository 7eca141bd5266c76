using DbRetry.EFCore.Tests.Support;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>PostgreSQL 14 and later tell each client for free whether it may write here.</summary>
[TestClass]
public class ReportedParametersTests
{
    private const string InHotStandby = "in_hot_standby";
    private const string ReadOnly = "default_transaction_read_only";

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_connection_knows_from_its_start_whether_it_is_on_a_standby()
    {
        var cluster = await SharedCluster.TripleAsync();
        for (var node = 0; node < cluster.NodeCount; node++)
        {
            await using var connection = await cluster.AdminConnectionAsync(node, cancellationToken: Cancellation);
            Assert.AreEqual(node == cluster.PrimaryIndex ? "off" : "on", connection.PostgresParameters[InHotStandby]);
            Assert.AreEqual("off", connection.PostgresParameters[ReadOnly]);
        }
    }

    [TestMethod]
    public async Task A_setting_of_the_session_is_reported_with_the_answer_to_the_command_that_made_it()
    {
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        await using var connection = await database.OpenAsync(Cancellation);

        await connection.ExecuteAsync("set default_transaction_read_only = on", Cancellation);

        Assert.AreEqual("on", connection.PostgresParameters[ReadOnly]);
    }

    [TestMethod]
    public async Task A_database_that_is_read_only_is_reported_as_such_from_the_start()
    {
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        await database.ExecuteAsync($"alter database \"{database.Name}\" set default_transaction_read_only = on", Cancellation);
        await using var connection = new Npgsql.NpgsqlConnection(database.ConnectionString + ";Pooling=false");
        await connection.OpenAsync(Cancellation);

        Assert.AreEqual("on", connection.PostgresParameters[ReadOnly]);
    }

    [TestMethod]
    public async Task An_open_connection_learns_of_a_promotion_with_its_next_command_and_not_before()
    {
        await using var cluster = await SharedCluster.OwnAsync(new() { Nodes = 2 }, Cancellation);
        await using var connection = await cluster.AdminConnectionAsync(1, cancellationToken: Cancellation);
        await cluster.KillAsync(0, Cancellation);

        await cluster.PromoteAsync(1, Cancellation);

        Assert.AreEqual("on", connection.PostgresParameters[InHotStandby]);
        await connection.ScalarAsync("select 1", Cancellation);
        Assert.AreEqual("off", connection.PostgresParameters[InHotStandby]);
    }
}
