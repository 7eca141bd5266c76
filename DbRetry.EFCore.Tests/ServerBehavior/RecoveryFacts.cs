using DbRetry.EFCore.Commits;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>What a server shows of its recoveries, read as the library reads it, and as a role without any privilege.</summary>
[TestClass]
public sealed class RecoveryFacts
{
    private static LocalCluster? _cluster;

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [ClassInitialize]
    public static async Task StartAsync(TestContext context)
    {
        _cluster = await SharedCluster.OwnAsync(new() { Nodes = 2 }, context.CancellationToken);
        await using var admin = await _cluster.AdminConnectionAsync(0, cancellationToken: context.CancellationToken);
        await admin.ExecuteAsync("create role nobody login", context.CancellationToken);
        await _cluster.WaitForReplayAsync(context.CancellationToken);
    }

    [ClassCleanup]
    public static async Task StopAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }
    }

    // One test: each step needs the server as the one before has left it, and starting servers is what takes time here.
    [TestMethod]
    public async Task Every_recovery_shows_and_nothing_else_does()
    {
        var cluster = _cluster!;
        var fresh = await ReadAsync(0);
        Assert.AreEqual(1, fresh.Timeline);
        Assert.IsNull(fresh.LastReplayLsn, "It has never recovered.");
        Assert.AreEqual(fresh, await ReadAsync(0));

        await cluster.StopAsync(0, StopMode.Fast, Cancellation);
        await cluster.StartNodeAsync(0, Cancellation);
        var restarted = await ReadAsync(0);
        Assert.AreNotEqual(fresh.StartedAt, restarted.StartedAt);
        Assert.AreEqual(fresh with { StartedAt = restarted.StartedAt }, restarted, "Statistics outlive a clean restart.");
        Assert.IsTrue(restarted.HasNotRecoveredSince(fresh));

        var before = await InsertLsnAsync(0);
        await CrashBackendAsync(0);
        var crashed = await ReadAsync(0);
        Assert.AreEqual(restarted.StartedAt, crashed.StartedAt, "The postmaster lives on.");
        Assert.AreEqual(restarted.Timeline, crashed.Timeline);
        Assert.IsGreaterThanOrEqualTo(before, crashed.LastReplayLsn!.Value);
        Assert.AreNotEqual(restarted.StatisticsSince, crashed.StatisticsSince);
        Assert.IsFalse(crashed.HasNotRecoveredSince(restarted));

        // Nothing is written in between.
        await CrashBackendAsync(0);
        var again = await ReadAsync(0);
        Assert.IsGreaterThan(crashed.LastReplayLsn.Value, again.LastReplayLsn!.Value, "A recovery ends with a checkpoint, behind which the next one begins.");
        Assert.IsFalse(again.HasNotRecoveredSince(crashed));

        await cluster.KillAsync(0, Cancellation);
        await cluster.StartNodeAsync(0, Cancellation);
        var killed = await ReadAsync(0);
        Assert.AreNotEqual(again.StartedAt, killed.StartedAt);
        Assert.IsNotNull(killed.LastReplayLsn);
        Assert.IsFalse(killed.HasNotRecoveredSince(again));

        await cluster.StopAsync(0, StopMode.Fast, Cancellation);
        await cluster.StartNodeAsync(0, Cancellation);
        var clean = await ReadAsync(0);
        Assert.IsNull(clean.LastReplayLsn, "What counts is the last start.");
        Assert.IsTrue(clean.HasNotRecoveredSince(killed));
        Assert.IsFalse(clean.HasNotRecoveredSince(again), "A recovery that a clean restart hides shows in the statistics.");

        await cluster.WaitForStandbysAsync(1, Cancellation);
        await cluster.WaitForReplayAsync(Cancellation);
        var replicated = await InsertLsnAsync(0);
        await cluster.KillAsync(0, Cancellation);
        await cluster.PromoteAsync(1, Cancellation);
        var promoted = await ReadAsync(1);
        Assert.AreEqual(2, promoted.Timeline, "The live timeline, before any checkpoint.");
        Assert.IsGreaterThanOrEqualTo(replicated, promoted.LastReplayLsn!.Value);
        Assert.AreEqual(fresh.SystemIdentifier, promoted.SystemIdentifier);
        Assert.IsFalse(promoted.HasNotRecoveredSince(clean));
    }

    private async Task CrashBackendAsync(int node)
    {
        await using var victim = await _cluster!.AdminConnectionAsync(node, cancellationToken: Cancellation);
        await using var bystander = await _cluster.AdminConnectionAsync(node, cancellationToken: Cancellation);
        _cluster.KillBackend(node, victim.ProcessID);

        // Until it throws out the others, the server has not noticed, and still lets people in.
        await Assert.ThrowsAsync<NpgsqlException>(() => bystander.ScalarAsync("select pg_sleep(60)", Cancellation));
        await _cluster.WaitForNodeAsync(node, Cancellation);
    }

    private async Task<ServerIncarnation> ReadAsync(int node)
    {
        await using var connection = await OpenAsync(node);
        return await ReadAsync(connection);
    }

    private async Task<ServerIncarnation> ReadAsync(NpgsqlConnection connection)
    {
        await using var command = TransactionQueries.ReadIncarnation(connection);
        await using var reader = await command.ExecuteReaderAsync(Cancellation);
        Assert.IsTrue(await reader.ReadAsync(Cancellation));
        return TransactionQueries.Incarnation(reader);
    }

    private async Task<long> InsertLsnAsync(int node)
    {
        await using var connection = await OpenAsync(node);
        return (long)(await connection.ScalarAsync("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint", Cancellation))!;
    }

    private async Task<NpgsqlConnection> OpenAsync(int node)
    {
        var settings = new NpgsqlConnectionStringBuilder(_cluster!.NodeConnectionString(node)) { Username = "nobody", Pooling = false };
        var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync(Cancellation);
        return connection;
    }
}
