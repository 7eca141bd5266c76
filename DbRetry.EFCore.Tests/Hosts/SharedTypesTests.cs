using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using NpgsqlTypes;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>A new primary has the types of the old one, and its pool does not ask for them while everybody waits.</summary>
[TestClass]
public sealed class SharedTypesTests
{
    private const int Old = 0;
    private const int New = 1;
    private const string Database = "shared_types";

    private const string Schema =
        """
        create type mood as enum ('calm', 'cross');
        create type spot as (x int, y int);
        create type span as range (subtype = int4);
        create table things(moods mood[], spot spot, span span);
        """;

    private static LocalCluster? _cluster;

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    /// <summary>The standby was promoted, and each test fails over by letting nobody through to the other one.</summary>
    [ClassInitialize]
    public static async Task PromoteAsync(TestContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (SharedCluster.ExternalServer is not null)
        {
            return;
        }

        _cluster = await StartAsync(context.CancellationToken);
        await _cluster.PromoteAsync(New, context.CancellationToken);
    }

    [ClassCleanup]
    public static async Task StopAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }
    }

    [TestInitialize]
    public void RequireLocal() => SharedCluster.RequireLocal();

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task The_connection_by_which_a_new_primary_was_found_asks_for_no_types_and_is_the_first_that_serves(bool async)
    {
        await using var bed = await HostProxies.CreateAsync(_cluster, Database);
        bed.Nodes[New].RefuseConnections();
        await using var context = HostBed.Context(bed.Through(Old, New));
        await OpenAsync(context, async, AssertKnownAsync);
        Assert.IsTrue(bed.Nodes[Old].IsAskedForTypes);

        FailOver(bed);

        Assert.AreEqual(New, await context.NodeAsync(bed.Cluster, async, Cancellation));
        await OpenAsync(context, async, AssertKnownAsync);
        Assert.AreEqual(1, bed.Nodes[New].ConnectionCount);
        Assert.IsFalse(bed.Nodes[New].IsAskedForTypes);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task The_connection_by_which_a_data_source_found_a_new_primary_asks_for_no_types_maps_them_and_is_the_first_that_serves(bool async)
    {
        await using var bed = await HostProxies.CreateAsync(_cluster, Database);
        bed.Nodes[New].RefuseConnections();
        await using var dataSource = Source(bed.Through(Old, New)).BuildMultiHost();
        await using var context = HostBed.Build(builder => builder.UseNpgsql(dataSource).UseDbRetry(RetryBed.Quick));
        await OpenAsync(context, async, AssertMappedAsync);

        FailOver(bed);

        Assert.AreEqual(New, await context.NodeAsync(bed.Cluster, async, Cancellation));
        await OpenAsync(context, async, AssertMappedAsync);
        Assert.AreEqual(1, bed.Nodes[New].ConnectionCount);
        Assert.IsFalse(bed.Nodes[New].IsAskedForTypes);
    }

    [TestMethod]
    public async Task A_server_that_is_no_copy_of_the_other_one_is_asked_for_its_own_types()
    {
        await using var stranger = await SharedCluster.OwnAsync(new LocalClusterOptions { System = "stranger" }, Cancellation);
        await stranger.CreateDatabaseAsync(Database, Cancellation);
        await using (var admin = await stranger.AdminConnectionAsync(0, Database, Cancellation))
        {
            await admin.ExecuteAsync($"create type another as enum (); {Schema}", Cancellation);
        }

        await using var first = FaultProxy.Start(_cluster!.NodeConnectionString(New));
        await using var second = FaultProxy.Start(stranger.NodeConnectionString(0));
        second.RefuseConnections();
        var dsn = FaultProxy.Through(_cluster.ConnectionString(Database), first, second);
        await using var dataSource = Source(dsn).BuildMultiHost();
        await using var strings = HostBed.Context(dsn);
        await using var mapped = HostBed.Build(builder => builder.UseNpgsql(dataSource).UseDbRetry(RetryBed.Quick));
        var oids = new List<object?>();
        foreach (var context in new[] { strings, mapped })
        {
            await OpenAsync(context, async: true, async connection => oids.Add(await connection.ScalarAsync("select 'mood'::regtype::oid", Cancellation)));
        }

        first.RefuseConnections();
        first.FailAll(FaultAction.Reset);
        second.AcceptConnections();

        foreach (var context in new[] { strings, mapped })
        {
            second.Arm();
            Assert.AreEqual(stranger.Port(0), await context.PortAsync(async: true, Cancellation));
            Assert.IsTrue(second.IsAskedForTypes);
            await OpenAsync(context, async: true, async connection =>
            {
                var oid = await connection.ScalarAsync("select 'mood'::regtype::oid", Cancellation);
                CollectionAssert.DoesNotContain(oids, oid);
                await (context == mapped ? AssertMappedAsync(connection) : AssertKnownAsync(connection));
            });
        }
    }

    [TestMethod]
    public async Task Types_that_were_reloaded_on_the_old_primary_are_known_on_the_new_one()
    {
        await using var cluster = await StartAsync(Cancellation);
        await using var bed = await HostProxies.CreateAsync(cluster, Database);
        bed.Nodes[New].RefuseConnections();
        await using var context = HostBed.Context(bed.Through(Old, New));
        await OpenAsync(context, async: true, async connection =>
        {
            await connection.ExecuteAsync("create type late as enum ('at', 'last')", Cancellation);
            await connection.ReloadTypesAsync(Cancellation);
        });
        await cluster.WaitForReplayAsync(Cancellation);
        await cluster.PromoteAsync(New, Cancellation);

        FailOver(bed);

        Assert.AreEqual(New, await context.NodeAsync(cluster, async: true, Cancellation));
        await OpenAsync(context, async: true, async connection => Assert.AreEqual("last", await WriteLateAsync(connection)));
        Assert.IsFalse(bed.Nodes[New].IsAskedForTypes);
    }

    [TestMethod]
    public async Task Types_are_reloaded_from_the_new_primary_itself()
    {
        await using var bed = await HostProxies.CreateAsync(_cluster, Database);
        bed.Nodes[New].RefuseConnections();
        await using var context = HostBed.Context(bed.Through(Old, New));
        Assert.AreEqual(Old, await context.NodeAsync(bed.Cluster, async: true, Cancellation));
        FailOver(bed);
        Assert.AreEqual(New, await context.NodeAsync(bed.Cluster, async: true, Cancellation));

        await OpenAsync(context, async: true, async connection =>
        {
            Assert.IsFalse(bed.Nodes[New].IsAskedForTypes);
            await connection.ExecuteAsync("drop type if exists late; create type late as enum ('at', 'last')", Cancellation);
            await Assert.ThrowsExactlyAsync<NotSupportedException>(() => WriteLateAsync(connection));

            await connection.ReloadTypesAsync(Cancellation);

            Assert.IsTrue(bed.Nodes[New].IsAskedForTypes);
            Assert.AreEqual("last", await WriteLateAsync(connection));
        });
    }

    [TestMethod]
    [DataRow("a:1", "b:1", "b?", "a")]
    [DataRow("a:1", "b:2", "b?", null, DisplayName = "another system")]
    [DataRow("a:1", "b", "b?", null, DisplayName = "a host that has not told its system: a standby, or one that was lost")]
    [DataRow("b:1", "b?", "b?", "b", DisplayName = "itself, which has them already")]
    [DataRow("a:1 b:1", "c:1", "c?", "b", DisplayName = "the last primary")]
    [DataRow("a:1 b:1 a:1", "c:1", "c?", "a", DisplayName = "the last primary, which was one before")]
    [DataRow("a:1 b:1 a:2", "c:2", "c?", null, DisplayName = "an address that leads to another system than when its types were loaded")]
    public void Types_come_from_the_last_primary_if_it_is_of_the_same_system(string served, string seen, string asked, string? expected)
    {
        var cluster = FakeRoute.Hosts(3);
        var types = new SharedTypes(cluster);
        var pools = Enumerable.Range(0, 3).Select(host => NpgsqlDataSource.Create($"Host={Name(host)}")).ToArray();
        for (var host = 0; host < 3; host++)
        {
            types.Bound(pools[host].CreateConnection(), host);
        }

        var timeline = 0;
        foreach (var step in served.Split(' '))
        {
            See(step);
            types.Served(Host(step));
        }

        See(seen);
        Assert.AreEqual(expected, types.SourceFor(Host(asked)) is { } pool ? Name(Array.IndexOf(pools, pool)) : null);

        static int Host(string step) => step[0] - 'a';
        static string Name(int host) => $"{(char)('a' + host)}";
        void See(string step)
        {
            if (!step.EndsWith('?'))
            {
                cluster.Forget(Host(step));
                cluster.Saw(Host(step), step.Split(':') is [_, var system] ? new HostSighting(HostRole.Primary, new(long.Parse(system), ++timeline)) : HostRole.Standby);
            }
        }
    }

    private static async Task<LocalCluster> StartAsync(CancellationToken cancellationToken)
    {
        var cluster = await SharedCluster.OwnAsync(new LocalClusterOptions { Nodes = 2 }, cancellationToken);
        await cluster.CreateDatabaseAsync(Database, cancellationToken);
        await using (var admin = await cluster.AdminConnectionAsync(Old, Database, cancellationToken))
        {
            await admin.ExecuteAsync(Schema, cancellationToken);
        }

        await cluster.WaitForReplayAsync(cancellationToken);
        return cluster;
    }

    private static NpgsqlDataSourceBuilder Source(string dsn)
        => new NpgsqlDataSourceBuilder(dsn).MapEnum<Mood>("mood").MapComposite<Spot>("spot").EnableUnmappedTypes();

    private static void FailOver(HostProxies bed)
    {
        bed.Nodes[Old].RefuseConnections();
        bed.Nodes[Old].FailAll(FaultAction.Reset);
        bed.Nodes[New].AcceptConnections();
    }

    private static async Task OpenAsync(CounterContext context, bool async, Func<NpgsqlConnection, Task> work)
    {
        if (async)
        {
            await context.Database.OpenConnectionAsync();
        }
        else
        {
            context.Database.OpenConnection();
        }

        await work((NpgsqlConnection)context.Database.GetDbConnection());
        await context.Database.CloseConnectionAsync();
    }

    private async Task AssertMappedAsync(NpgsqlConnection connection)
    {
        await connection.ExecuteAsync("delete from things", Cancellation);
        await using (var insert = new NpgsqlCommand("insert into things values ($1, $2, $3)", connection))
        {
            insert.Parameters.Add(new() { Value = new[] { Mood.Cross, Mood.Calm } });
            insert.Parameters.Add(new() { Value = new Spot { X = 1, Y = 2 } });
            insert.Parameters.Add(new() { Value = new NpgsqlRange<int>(3, 5), DataTypeName = "span" });
            await insert.ExecuteNonQueryAsync(Cancellation);
        }

        await using var select = new NpgsqlCommand("select moods, spot, span from things", connection);
        await using var reader = await select.ExecuteReaderAsync(Cancellation);
        Assert.IsTrue(await reader.ReadAsync(Cancellation));
        CollectionAssert.AreEqual(new[] { Mood.Cross, Mood.Calm }, reader.GetFieldValue<Mood[]>(0));
        Assert.AreEqual(2, reader.GetFieldValue<Spot>(1).Y);
        Assert.AreEqual(3, reader.GetFieldValue<NpgsqlRange<int>>(2).LowerBound);
    }

    // Without mappings, what has a name in SQL is told as text.
    private async Task AssertKnownAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand("select $1, $1[1]", connection)
        {
            Parameters = { new() { Value = new[] { "cross", "calm" }, DataTypeName = "mood[]" } },
        };
        await using var reader = await command.ExecuteReaderAsync(Cancellation);
        Assert.IsTrue(await reader.ReadAsync(Cancellation));
        CollectionAssert.AreEqual(new[] { "cross", "calm" }, reader.GetFieldValue<string[]>(0));
        Assert.AreEqual("cross", reader.GetString(1));
        Assert.AreEqual("mood", reader.GetDataTypeName(1).Split('.')[^1]);
    }

    private async Task<object?> WriteLateAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand("select $1", connection) { Parameters = { new() { Value = "last", DataTypeName = "late" } } };
        return await command.ExecuteScalarAsync(Cancellation);
    }

    private enum Mood
    {
        Calm,
        Cross,
    }

    private sealed class Spot
    {
        public int X { get; set; }

        public int Y { get; set; }
    }
}
