using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>Errors of a server that answers a startup: only "not now" (57P03, 53300) can pass by itself.</summary>
[TestClass]
public class StartupErrorsTests
{
    private static LocalCluster _cluster = null!;

    public required TestContext TestContext { get; set; }

    [ClassInitialize]
    public static async Task StartAsync(TestContext context)
    {
        _cluster = await SharedCluster.OwnAsync(
            new()
            {
                AccessRules =
                [
                    "host all guarded 127.0.0.1/32 scram-sha-256",
                    "host all rejected 127.0.0.1/32 reject",
                ],
            },
            context.CancellationToken);
        await using var admin = await _cluster.AdminConnectionAsync(0, cancellationToken: context.CancellationToken);
        await admin.ExecuteAsync("create role guarded login password 'right'; create role rejected login", context.CancellationToken);
        await admin.ExecuteAsync("create role crowded login connection limit 0", context.CancellationToken);
    }

    [ClassCleanup]
    public static async Task StopAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }
    }

    [TestMethod]
    [DataRow("Database=nowhere", "3D000", false)]
    [DataRow("Username=guarded;Password=wrong", "28P01", false)]
    [DataRow("Username=rejected", "28000", false)]
    [DataRow("Username=nobody", "28000", false)]
    [DataRow("Username=crowded", "53300", true)]
    public async Task What_a_startup_asks_for_in_vain_has_a_state_of_its_own(string settings, string state, bool transient)
    {
        await using var connection = new NpgsqlConnection($"{_cluster.NodeConnectionString(0)};Pooling=false;{settings}");

        var failure = await Assert.ThrowsAsync<PostgresException>(() => connection.OpenAsync(TestContext.CancellationToken));

        Assert.AreEqual(state, failure.SqlState);
        Assert.AreEqual(transient, failure.IsTransient);
    }

    [TestMethod]
    public async Task A_missing_password_never_reaches_the_server()
    {
        await using var connection = new NpgsqlConnection($"{_cluster.NodeConnectionString(0)};Pooling=false;Username=guarded;Passfile=/dev/null");

        var failure = await Assert.ThrowsAsync<NpgsqlException>(() => connection.OpenAsync(TestContext.CancellationToken));

        Assert.IsNotInstanceOfType<PostgresException>(failure);
        Assert.IsFalse(failure.IsTransient);
    }

    [TestMethod]
    public async Task A_server_that_shuts_down_says_57P03_to_newcomers()
    {
        await using var cluster = await SharedCluster.OwnAsync(cancellationToken: TestContext.CancellationToken);
        await using var last = await cluster.AdminConnectionAsync(0, cancellationToken: TestContext.CancellationToken);
        var stopping = cluster.StopAsync(0, StopMode.Smart, TestContext.CancellationToken);

        PostgresException? failure = null;
        await Poll.UntilAsync(
            async () =>
            {
                try
                {
                    await using var late = await cluster.AdminConnectionAsync(0, cancellationToken: TestContext.CancellationToken);
                    return false; // The signal has not arrived yet.
                }
                catch (PostgresException refused)
                {
                    failure = refused;
                    return true;
                }
            },
            TimeSpan.FromSeconds(10),
            () => "the server still lets newcomers in",
            TestContext.CancellationToken);
        await last.CloseAsync();
        await stopping;

        Assert.AreEqual(PostgresErrorCodes.CannotConnectNow, failure!.SqlState);
        Assert.IsTrue(failure.IsTransient);
    }
}
