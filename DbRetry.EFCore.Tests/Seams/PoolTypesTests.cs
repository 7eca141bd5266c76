using DbRetry.EFCore.Seams;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Npgsql;

namespace DbRetry.EFCore.Tests.Seams;

[TestClass]
public sealed class PoolTypesTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public void This_version_of_Npgsql_has_what_the_seam_leans_on() => Assert.IsTrue(PoolTypes.IsAvailable);

    [TestMethod]
    public async Task What_a_pool_takes_over_is_what_it_would_have_loaded_except_that_it_names_its_own_server()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var first = NpgsqlDataSource.Create(await SharedCluster.ServerAsync());
        await using var second = NpgsqlDataSource.Create(proxy.Through(await SharedCluster.ServerAsync()));
        await using var loaded = await first.OpenConnectionAsync(Cancellation);
        PoolTypes.Share(second, () => first);

        await using var taken = await second.OpenConnectionAsync(Cancellation);

        Assert.IsFalse(proxy.IsAskedForTypes);
        Assert.AreEqual(loaded.PostgreSqlVersion, taken.PostgreSqlVersion);
        Assert.AreEqual(loaded.HasIntegerDateTimes, taken.HasIntegerDateTimes);
        var (one, other) = (PoolTypes.LoadedBy(first)!, PoolTypes.LoadedBy(second)!);
        Assert.AreEqual((proxy.Port, one.Name, one.ServerVersion), (other.Port, other.Name, other.ServerVersion));
        foreach (var property in one.GetType().BaseType!.GetProperties().Where(property => property.PropertyType == typeof(bool)))
        {
            Assert.AreEqual(property.GetValue(one), property.GetValue(other), property.Name);
        }

        Assert.AreSame(one.GetPostgresType("int4"), other.GetPostgresType("int4"));
    }

    [TestMethod]
    public async Task A_pool_whose_source_has_loaded_nothing_asks_for_its_types()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var empty = NpgsqlDataSource.Create("Host=empty");
        await using var second = NpgsqlDataSource.Create(proxy.Through(await SharedCluster.ServerAsync()));
        PoolTypes.Share(second, () => empty);

        await using var connection = await second.OpenConnectionAsync(Cancellation);

        Assert.IsTrue(proxy.IsAskedForTypes);
    }

    [TestMethod]
    public async Task A_pool_does_not_take_over_the_few_types_of_one_that_loads_none()
    {
        await using var proxy = FaultProxy.Start(await SharedCluster.ServerAsync());
        await using var few = new NpgsqlDataSourceBuilder(await SharedCluster.ServerAsync())
            .ConfigureTypeLoading(types => types.EnableTypeLoading(false))
            .Build();
        await using var second = NpgsqlDataSource.Create(proxy.Through(await SharedCluster.ServerAsync()));
        await using (await few.OpenConnectionAsync(Cancellation))
        {
        }

        PoolTypes.Share(second, () => few);

        await using var connection = await second.OpenConnectionAsync(Cancellation);

        Assert.IsTrue(proxy.IsAskedForTypes);
    }
}
