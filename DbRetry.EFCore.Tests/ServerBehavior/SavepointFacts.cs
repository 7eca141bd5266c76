using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>What Npgsql makes of a savepoint: it is sent along with the next command, and must not fail there.</summary>
[TestClass]
public class SavepointFacts
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_savepoint_is_sent_with_the_next_command()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var connection = new NpgsqlConnection(bed.ConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var transaction = await connection.BeginTransactionAsync(Cancellation);
        bed.Proxy.Arm();

        await transaction.SaveAsync("here", Cancellation);
        Assert.IsFalse(bed.Proxy.Messages.Any(message => message.IsSql("SAVEPOINT")));

        await connection.ExecuteAsync("select 1", Cancellation);
        Assert.IsTrue(bed.Proxy.Messages.Any(message => message.IsSql("SAVEPOINT")));
    }

    [TestMethod]
    public async Task A_savepoint_that_the_server_refuses_breaks_the_connection()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var connection = new NpgsqlConnection(bed.ConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var transaction = await connection.BeginTransactionAsync(Cancellation);
        await Assert.ThrowsExactlyAsync<PostgresException>(() => connection.ExecuteAsync("select 1/0", Cancellation));

        await transaction.SaveAsync("here", Cancellation);
        var refusal = await Assert.ThrowsExactlyAsync<PostgresException>(() => connection.ExecuteAsync("select 1", Cancellation));

        Assert.AreEqual(PostgresErrorCodes.InFailedSqlTransaction, refusal.SqlState);
        Assert.AreEqual(System.Data.ConnectionState.Broken, connection.FullState);
    }

    [TestMethod]
    public async Task A_savepoint_named_like_a_key_word_is_sent_without_the_quotes_that_it_needs()
    {
        await using var bed = await RetryBed.CreateAsync(Cancellation);
        await using var connection = new NpgsqlConnection(bed.ConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var transaction = await connection.BeginTransactionAsync(Cancellation);

        await transaction.SaveAsync("select", Cancellation);
        var refusal = await Assert.ThrowsExactlyAsync<PostgresException>(() => connection.ExecuteAsync("select 1", Cancellation));

        Assert.AreEqual(PostgresErrorCodes.SyntaxError, refusal.SqlState);
    }
}
