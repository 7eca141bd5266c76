using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>When Npgsql asks a server for its types: npgsql 10.0.0, NpgsqlDataSource.cs, Bootstrap.</summary>
[TestClass]
public sealed class TypeLoadingFacts
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task The_first_connection_of_a_pool_asks_for_all_types_and_the_next_ones_do_not_until_they_are_reloaded(bool async)
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var pool = NpgsqlDataSource.Create(proxy.Through(await SharedCluster.ServerAsync()));
        await using var first = async ? await pool.OpenConnectionAsync(Cancellation) : pool.OpenConnection();
        Assert.IsTrue(proxy.IsAskedForTypes, "The first connection.");

        proxy.Arm();
        await using var second = async ? await pool.OpenConnectionAsync(Cancellation) : pool.OpenConnection();
        Assert.IsFalse(proxy.IsAskedForTypes, "Another one.");

        await (async ? second.ReloadTypesAsync(Cancellation) : Task.Run(second.ReloadTypes, Cancellation));
        Assert.IsTrue(proxy.IsAskedForTypes, "When they are reloaded.");
    }
}
