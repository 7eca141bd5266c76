using System.Data;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>What stays on the server when a connection falls silent in a transaction, and what the client still knows of it.</summary>
[TestClass]
public sealed class SilentConnectionFacts
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task The_server_keeps_the_transaction_and_its_locks_until_somebody_ends_its_session()
    {
        await using var bed = await CommitBed.CreateAsync(Cancellation, Impatient);
        var processId = bed.Connection.ProcessID;
        await FallSilentAsync(bed);

        var error = await Assert.ThrowsAsync<PostgresException>(() => LockAsync(bed));
        Assert.AreEqual(PostgresErrorCodes.LockNotAvailable, error.SqlState);

        await bed.Database.ExecuteAsync($"select pg_terminate_backend({processId}, 10000)", Cancellation);
        await LockAsync(bed);
    }

    [TestMethod]
    public async Task A_connection_that_was_lost_no_longer_knows_its_session()
    {
        await using var bed = await CommitBed.CreateAsync(Cancellation, Impatient);
        Assert.AreNotEqual(0, bed.Connection.ProcessID);
        Assert.AreEqual(bed.Proxy.Port, bed.Connection.Port, "where it is connected to, and not what its connection string says");
        await FallSilentAsync(bed);

        Assert.AreEqual(ConnectionState.Broken, bed.Connection.FullState);
        Assert.ThrowsExactly<InvalidOperationException>(() => bed.Connection.ProcessID);
        Assert.IsNull(bed.Connection.Host);
    }

    [TestMethod]
    public async Task A_connection_that_was_closed_is_not_broken_and_its_session_serves_the_next()
    {
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        await using var connection = await database.OpenAsync(Cancellation);
        var processId = connection.ProcessID;
        await connection.CloseAsync();
        Assert.AreEqual(ConnectionState.Closed, connection.FullState);

        await using var next = await database.OpenAsync(Cancellation);

        Assert.AreEqual(processId, next.ProcessID);
    }

    [TestMethod]
    public async Task The_server_tells_since_when_a_session_and_its_transaction_exist_by_the_clock_that_it_can_be_asked_for()
    {
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        await using var connection = await database.OpenAsync(Cancellation);
        await using var other = await database.OpenAsync(Cancellation);
        var between = (DateTime)(await other.ScalarAsync("select clock_timestamp()", Cancellation))!;
        var own = $"from pg_stat_activity where pid = {connection.ProcessID}";
        Assert.AreEqual(DBNull.Value, await other.ScalarAsync($"select xact_start {own}", Cancellation));

        await connection.ExecuteAsync("begin", Cancellation);

        Assert.IsTrue((DateTime)(await other.ScalarAsync($"select backend_start {own}", Cancellation))! <= between);
        Assert.IsTrue((DateTime)(await other.ScalarAsync($"select xact_start {own}", Cancellation))! >= between);
    }

    private const string Impatient = "Command Timeout=1;Cancellation Timeout=-1";

    private async Task FallSilentAsync(CommitBed bed)
    {
        bed.Proxy.FailAll(FaultAction.BlackHole);
        await Assert.ThrowsAsync<NpgsqlException>(() => bed.Connection.ScalarAsync("select 1", Cancellation));
    }

    private Task LockAsync(CommitBed bed)
        => bed.Database.ExecuteAsync("begin; set local lock_timeout = '100ms'; lock table t in access exclusive mode; commit", Cancellation);
}
