using DbRetry.EFCore.Commits.Witness;
using DbRetry.EFCore.Tests.Support;
using Npgsql;

namespace DbRetry.EFCore.Tests.Commits.Witness;

/// <summary>What the table answers is final: that is why a lost COMMIT can be decided by it.</summary>
[TestClass]
public sealed class WitnessTableTests
{
    private readonly Guid _id = Guid.CreateVersion7();
    private readonly WitnessTable _table = WitnessTable.Named("Shop's \"witnesses\"");

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_committed_transaction_has_its_witness()
    {
        await using var database = await CreateAsync();
        await using var writer = await BeginAsync(database);

        await CommitAsync(writer);

        Assert.IsTrue(await SettleAsync(database));
        Assert.AreEqual(1L, await database.ScalarAsync<long>("select count(*) from work", Cancellation));
    }

    [TestMethod]
    public async Task Once_it_is_said_that_the_witness_is_missing_the_transaction_cannot_commit_any_more()
    {
        await using var database = await CreateAsync();
        await using var writer = await BeginAsync(database);

        Assert.IsFalse(await SettleAsync(database));

        var refusal = await Assert.ThrowsExactlyAsync<PostgresException>(() => CommitAsync(writer));
        Assert.AreEqual(PostgresErrorCodes.UniqueViolation, refusal.SqlState);
        await writer.ExecuteAsync("rollback", Cancellation);
        Assert.IsFalse(await SettleAsync(database), "The answer stays.");
        Assert.AreEqual(0L, await database.ScalarAsync<long>("select count(*) from work", Cancellation));
    }

    [TestMethod]
    public async Task While_the_transaction_is_open_with_its_witness_written_the_question_says_so()
    {
        await using var database = await CreateAsync();
        await using var writer = await BeginAsync(database);
        await writer.ExecuteAsync($"insert into \"Shop's \"\"witnesses\"\"\" (id, committed) values ('{_id}', true)", Cancellation);

        var open = await Assert.ThrowsExactlyAsync<PostgresException>(() => SettleAsync(database));
        Assert.AreEqual(PostgresErrorCodes.LockNotAvailable, open.SqlState);

        await writer.ExecuteAsync("commit", Cancellation);
        Assert.IsTrue(await SettleAsync(database));
    }

    [TestMethod]
    public async Task A_failed_transaction_leaves_no_witness_and_says_why()
    {
        await using var database = await CreateAsync();
        await using var writer = await BeginAsync(database);
        await Assert.ThrowsExactlyAsync<PostgresException>(() => writer.ScalarAsync("select 1/0", Cancellation));

        var refusal = await Assert.ThrowsExactlyAsync<PostgresException>(() => CommitAsync(writer));

        Assert.AreEqual(PostgresErrorCodes.InFailedSqlTransaction, refusal.SqlState);
        await writer.ExecuteAsync("rollback", Cancellation);
        Assert.IsFalse(await SettleAsync(database));
    }

    [TestMethod]
    public async Task A_deferred_constraint_speaks_in_COMMIT_and_no_witness_is_left()
    {
        await using var database = await CreateAsync();
        await using var writer = await BeginAsync(database);
        await writer.ExecuteAsync("insert into work values (1)", Cancellation);

        var refusal = await Assert.ThrowsExactlyAsync<PostgresException>(() => CommitAsync(writer));

        Assert.AreEqual(PostgresErrorCodes.UniqueViolation, refusal.SqlState);
        Assert.AreEqual("work_id_key", refusal.ConstraintName);
        Assert.IsFalse(await SettleAsync(database));
    }

    [TestMethod]
    public async Task Old_witnesses_are_removed_and_young_ones_stay()
    {
        await using var database = await CreateAsync();
        await SettleAsync(database);
        await database.ExecuteAsync(
            "insert into \"Shop's \"\"witnesses\"\"\" select gen_random_uuid(), true, now() - interval '2 hours' from generate_series(1, 3)", Cancellation);

        await using var connection = await database.OpenAsync(Cancellation);
        await using var clean = _table.Clean(connection, TimeSpan.FromHours(1));

        Assert.AreEqual(3, await clean.ExecuteNonQueryAsync(Cancellation));
        Assert.AreEqual(0, await clean.ExecuteNonQueryAsync(Cancellation));
    }

    [TestMethod]
    public async Task A_backend_that_is_stuck_behind_its_witness_is_ended_and_no_other()
    {
        await using var database = await CreateAsync();
        await using var idle = await BeginAsync(database);
        await using var connection = await database.OpenAsync(Cancellation);
        await Task.Delay(500, Cancellation);
        await using var end = _table.EndStuckBackend(connection, idle.ProcessID);

        Assert.IsNull(await end.ExecuteScalarAsync(Cancellation), "It waits for its client, but not behind its witness.");
    }

    [TestMethod]
    [DataRow("")]
    [DataRow(" ")]
    [DataRow("a.")]
    [DataRow(".b")]
    [DataRow("a.b.c")]
    [DataRow("a\0b")]
    [DataRow("äääääääääääääääääääääääääääääääää")]
    public void A_name_that_the_server_would_not_take_as_it_is_fails_early(string name)
        => Assert.Contains("no name of a table", Assert.ThrowsExactly<ArgumentException>(() => WitnessTable.Named(name)).Message);

    [TestMethod]
    public void Names_are_quoted() => Assert.AreEqual("DROP TABLE IF EXISTS \"Ops\".\"a\"\"b\"", WitnessTable.Named("Ops.a\"b").DropSql);

    private async Task<TestDatabase> CreateAsync()
    {
        var database = await TestDatabase.CreateAsync(Cancellation);
        await database.ExecuteAsync("create table work(id int constraint work_id_key unique deferrable initially deferred)", Cancellation);
        await database.ExecuteAsync(_table.CreateSql, Cancellation);
        return database;
    }

    private async Task<NpgsqlConnection> BeginAsync(TestDatabase database)
    {
        var connection = await database.OpenAsync(Cancellation);
        await connection.ExecuteAsync("begin", Cancellation);
        await connection.ExecuteAsync("insert into work values (1)", Cancellation);
        return connection;
    }

    private async Task CommitAsync(NpgsqlConnection connection)
    {
        await using var commit = _table.Commit(connection, _id);
        await commit.ExecuteNonQueryAsync(Cancellation);
    }

    private async Task<bool> SettleAsync(TestDatabase database)
    {
        await using var connection = await database.OpenAsync(Cancellation);
        await using var settle = _table.Settle(connection, _id);
        return (bool)(await settle.ExecuteScalarAsync(Cancellation))!;
    }
}
