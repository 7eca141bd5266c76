using System.Net.Sockets;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>
/// Npgsql's own answers when no host of several will do. None of them counts as transient, whatever is wrong with the hosts
/// (NpgsqlMultiHostDataSource.NoSuitableHostsException).
/// </summary>
[TestClass]
public class NoSuitableHostTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task Only_standbys_where_a_primary_is_wanted_is_an_error_without_a_cause()
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var source = MultiHost(cluster.ConnectionString("postgres", 1, 2));

        var failure = await Assert.ThrowsAsync<NpgsqlException>(async () => await source.OpenConnectionAsync(Cancellation));

        Assert.AreEqual("No suitable host was found.", failure.Message);
        Assert.IsNull(failure.InnerException);
        Assert.IsFalse(failure.IsTransient);
    }

    [TestMethod]
    public async Task Dead_hosts_are_the_cause_once_and_forgotten_the_next_time()
    {
        var server = await SharedCluster.ServerAsync();
        await using var first = FaultProxy.Start(server);
        await using var second = FaultProxy.Start(server);
        first.RefuseConnections();
        second.RefuseConnections();
        await using var source = MultiHost(FaultProxy.Through(server, first, second));

        var failure = await Assert.ThrowsAsync<NpgsqlException>(async () => await source.OpenConnectionAsync(Cancellation));
        Assert.IsFalse(failure.IsTransient);
        var causes = Assert.IsInstanceOfType<AggregateException>(failure.InnerException).InnerExceptions;
        foreach (var cause in causes)
        {
            Assert.IsTrue(Assert.IsInstanceOfType<NpgsqlException>(cause).IsTransient);
            Assert.IsInstanceOfType<SocketException>(cause.InnerException);
        }

        failure = await Assert.ThrowsAsync<NpgsqlException>(async () => await source.OpenConnectionAsync(Cancellation));
        Assert.AreEqual("No suitable host was found.", failure.Message);
        Assert.IsNull(failure.InnerException);
        Assert.IsFalse(failure.IsTransient);
    }

    [TestMethod]
    public async Task Hosts_that_come_back_stay_unsuitable_until_their_states_are_cleared()
    {
        var server = await SharedCluster.ServerAsync();
        await using var first = FaultProxy.Start(server);
        await using var second = FaultProxy.Start(server);
        first.RefuseConnections();
        second.RefuseConnections();
        await using var source = MultiHost(FaultProxy.Through(server, first, second));
        await Assert.ThrowsAsync<NpgsqlException>(async () => await source.OpenConnectionAsync(Cancellation));
        first.AcceptConnections();
        second.AcceptConnections();

        await Assert.ThrowsAsync<NpgsqlException>(async () => await source.OpenConnectionAsync(Cancellation));
        source.ClearDatabaseStates();

        await using var connection = await source.OpenConnectionAsync(Cancellation);
    }

    private static NpgsqlMultiHostDataSource MultiHost(string connectionString) =>
        new NpgsqlDataSourceBuilder(connectionString + ";Target Session Attributes=primary").BuildMultiHost();
}
