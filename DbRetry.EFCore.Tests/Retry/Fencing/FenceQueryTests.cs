using System.Diagnostics;
using DbRetry.EFCore.Retry.Fencing;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.EFCore.Tests.Retry.Fencing;

/// <summary>Whom the fence hits, and whom it never may.</summary>
[TestClass]
public sealed class FenceQueryTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow("begin")]
    [DataRow("begin; update t set i = 2")]
    public async Task A_session_that_is_in_the_transaction_is_ended_and_gone_when_the_answer_comes(string sql)
    {
        await using var database = await DatabaseAsync();
        await using var fence = await database.OpenAsync(Cancellation);
        await using var old = await database.OpenAsync(Cancellation);
        var since = Stopwatch.GetTimestamp();
        await old.ExecuteAsync(sql, Cancellation);
        var processId = old.ProcessID;

        Assert.AreEqual(true, await EndAsync(fence, processId, Stopwatch.GetElapsedTime(since)));

        Assert.AreEqual(0L, await fence.ScalarAsync($"select count(*) from pg_stat_activity where pid = {processId}", Cancellation));
        await Assert.ThrowsAsync<PostgresException>(() => old.ScalarAsync("select 1", Cancellation));
    }

    [TestMethod]
    public async Task A_session_that_is_running_a_statement_of_its_own_is_ended()
    {
        await using var database = await DatabaseAsync();
        await using var fence = await database.OpenAsync(Cancellation);
        await using var old = await database.OpenAsync(Cancellation);
        var processId = old.ProcessID;
        var since = Stopwatch.GetTimestamp();

        await Task.WhenAll(SleepAsync(), EndSleeperAsync());

        async Task SleepAsync()
            => await Assert.ThrowsAsync<PostgresException>(async () => await old.ExecuteAsync("select pg_sleep(60)", Cancellation));

        Task EndSleeperAsync()
            => Poll.UntilAsync(
                async () => await EndAsync(fence, processId, Stopwatch.GetElapsedTime(since)) is true,
                TimeSpan.FromSeconds(30),
                () => "nobody was ended",
                Cancellation);
    }

    [TestMethod]
    public async Task A_session_that_started_later_has_only_been_given_the_same_number()
    {
        await using var database = await DatabaseAsync();
        await using var fence = await database.OpenAsync(Cancellation);
        await using var stranger = await database.OpenAsync(Cancellation);
        await stranger.ExecuteAsync("begin", Cancellation);

        await LivesAsync(fence, stranger, Hour);
    }

    [TestMethod]
    public async Task A_session_whose_transaction_is_much_older_is_a_strangers()
    {
        await using var database = await DatabaseAsync();
        await using var fence = await database.OpenAsync(Cancellation);
        await using var stranger = await database.OpenAsync(Cancellation);
        await stranger.ExecuteAsync("begin", Cancellation);

        // As if the client had begun its own in ten seconds from now.
        await LivesAsync(fence, stranger, -TimeSpan.FromSeconds(10));
    }

    [TestMethod]
    [DataRow("select 1")]
    [DataRow("begin; update t set i = 2; rollback")]
    [DataRow("begin; update t set i = 2; select 1/0", DisplayName = "a transaction that has failed")]
    public async Task A_session_outside_a_transaction_holds_no_locks_and_is_left_alone(string sql)
    {
        await using var database = await DatabaseAsync();
        await using var fence = await database.OpenAsync(Cancellation);
        await using var old = await database.OpenAsync(Cancellation);
        var since = Stopwatch.GetTimestamp();
        try
        {
            await old.ExecuteAsync(sql, Cancellation);
        }
        catch (PostgresException error) when (error.SqlState == PostgresErrorCodes.DivisionByZero)
        {
            // The transaction has failed, and waits for its ROLLBACK.
        }

        Assert.IsNull(await EndAsync(fence, old.ProcessID, Stopwatch.GetElapsedTime(since)));

        await database.ExecuteAsync("begin; set local lock_timeout = 1; lock table t in access exclusive mode; commit", Cancellation);
        await old.ExecuteAsync("rollback", Cancellation);
    }

    [TestMethod]
    public async Task The_session_that_asks_is_left_alone()
    {
        await using var database = await DatabaseAsync();
        await using var fence = await database.OpenAsync(Cancellation);
        await fence.ExecuteAsync("begin", Cancellation);

        await LivesAsync(fence, fence, TimeSpan.Zero);
    }

    [TestMethod]
    public async Task A_session_in_another_database_is_a_strangers()
    {
        await using var database = await DatabaseAsync();
        await using var other = await DatabaseAsync();
        await using var fence = await database.OpenAsync(Cancellation);
        await using var stranger = await other.OpenAsync(Cancellation);
        await stranger.ExecuteAsync("begin", Cancellation);

        await LivesAsync(fence, stranger, TimeSpan.Zero);
    }

    [TestMethod]
    public async Task A_session_of_another_role_is_a_strangers()
    {
        SharedCluster.RequireLocal();
        await using var database = await DatabaseAsync();
        await using var fence = await database.OpenAsync(Cancellation);
        var role = $"stranger_{database.Name}";
        await fence.ExecuteAsync($"create role {role} login", Cancellation);
        try
        {
            await using var stranger = new NpgsqlConnection($"{database.ConnectionString};Username={role};Pooling=false");
            await stranger.OpenAsync(Cancellation);
            await stranger.ExecuteAsync("begin", Cancellation);

            await LivesAsync(fence, stranger, TimeSpan.Zero);
        }
        finally
        {
            await fence.ExecuteAsync($"drop role {role}", Cancellation);
        }
    }

    private async Task LivesAsync(NpgsqlConnection fence, NpgsqlConnection other, TimeSpan inUseFor)
    {
        Assert.IsNull(await EndAsync(fence, other.ProcessID, inUseFor));
        Assert.AreEqual(1, await other.ScalarAsync("select 1", Cancellation));
    }

    private async Task<object?> EndAsync(NpgsqlConnection fence, int processId, TimeSpan inUseFor)
    {
        await using var command = FenceQuery.End(fence, processId, inUseFor);
        return await command.ExecuteScalarAsync(Cancellation);
    }

    private async Task<TestDatabase> DatabaseAsync()
    {
        var database = await TestDatabase.CreateAsync(Cancellation);
        await database.ExecuteAsync("create table t (i int); insert into t values (1)", Cancellation);
        return database;
    }
}
