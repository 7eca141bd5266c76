using System.Data;
using DbRetry.EFCore.Seams;
using DbRetry.EFCore.Tests.Support;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>How a transaction gets a lock before its snapshot, and for how long it has it.</summary>
[TestClass]
public sealed class AdvisoryLockFacts
{
    private const string Locks = "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())";

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow("commit")]
    [DataRow("rollback")]
    public async Task A_lock_that_a_session_hands_on_to_its_transaction_ends_with_that(string end)
    {
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        await using var connection = await database.OpenAsync(Cancellation);
        await connection.ExecuteAsync("begin isolation level serializable", Cancellation);
        await connection.ExecuteAsync("select pg_advisory_lock(1, 2)", Cancellation);
        await connection.ExecuteAsync("rollback and chain", Cancellation);
        await connection.ExecuteAsync("select pg_advisory_xact_lock(1, 2), pg_advisory_unlock(1, 2)", Cancellation);

        Assert.AreEqual("serializable", await connection.ScalarAsync("show transaction_isolation", Cancellation));
        Assert.AreEqual(1L, await database.ScalarAsync<long>(Locks, Cancellation));
        await connection.ExecuteAsync(end, Cancellation);
        Assert.AreEqual(0L, await database.ScalarAsync<long>(Locks, Cancellation));
    }

    [TestMethod]
    public async Task A_lock_that_only_the_session_has_outlives_a_transaction_that_fails()
    {
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        await using var connection = await database.OpenAsync(Cancellation);
        await connection.ExecuteAsync("begin", Cancellation);
        await connection.ExecuteAsync("select pg_advisory_lock(1, 2)", Cancellation);
        await Assert.ThrowsExactlyAsync<PostgresException>(() => connection.ExecuteAsync("select 1 / 0", Cancellation));
        await connection.ExecuteAsync("rollback", Cancellation);
        Assert.AreEqual(1L, await database.ScalarAsync<long>(Locks, Cancellation));
    }

    [TestMethod]
    public async Task A_limit_that_a_statement_sets_holds_for_the_lock_that_it_then_waits_for_and_not_for_the_next_transaction()
    {
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        await using var holder = await database.OpenAsync(Cancellation);
        await holder.ExecuteAsync("select pg_advisory_lock(1, 2)", Cancellation);
        await using var connection = await database.OpenAsync(Cancellation);
        await connection.ExecuteAsync("begin", Cancellation);

        var failure = await Assert.ThrowsExactlyAsync<PostgresException>(() => connection.ExecuteAsync(
            "select case when set_config('lock_timeout', '50', true) is null then null else pg_advisory_lock(1, 2) is null end", Cancellation));

        Assert.AreEqual(PostgresErrorCodes.LockNotAvailable, failure.SqlState);
        await connection.ExecuteAsync("rollback and chain", Cancellation);
        Assert.AreEqual("0", await connection.ScalarAsync("show lock_timeout", Cancellation));
    }

    [TestMethod]
    public async Task Npgsql_sends_BEGIN_along_with_the_first_statement()
    {
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        await using var connection = await database.OpenAsync(Cancellation);
        Assert.IsFalse(ConnectorState.IsTransactionPending(connection));
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.Serializable, Cancellation);
        Assert.IsTrue(ConnectorState.IsTransactionPending(connection));
        await connection.ExecuteAsync("select 1", Cancellation);
        Assert.IsFalse(ConnectorState.IsTransactionPending(connection));
    }
}
