using System.Data;
using DbRetry.EFCore.Tests.Support;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

[TestClass]
public class ConnectionStateFacts
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_healthy_connection_whose_result_is_being_read_is_open_and_more()
    {
        await using var connection = new NpgsqlConnection(await SharedCluster.ServerAsync() + ";Pooling=false");
        await connection.OpenAsync(Cancellation);
        await using var command = new NpgsqlCommand("select generate_series(1, 10)", connection);
        await using var reader = await command.ExecuteReaderAsync(Cancellation);
        await reader.ReadAsync(Cancellation);

        Assert.AreEqual(ConnectionState.Open | ConnectionState.Fetching, connection.FullState);
        Assert.AreEqual(ConnectionState.Open, connection.State);
    }

    [TestMethod]
    public async Task A_connection_that_broke_says_so_in_its_full_state_alone()
    {
        await using var connection = new NpgsqlConnection(await SharedCluster.ServerAsync() + ";Pooling=false");
        await connection.OpenAsync(Cancellation);

        await Assert.ThrowsAsync<PostgresException>(
            () => connection.ExecuteAsync("select pg_terminate_backend(pg_backend_pid())", Cancellation));

        Assert.AreEqual(ConnectionState.Broken, connection.FullState);
        Assert.AreEqual(ConnectionState.Closed, connection.State);
    }
}
