using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Seams;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>
/// Npgsql's internals that reach the single hosts of a data source: src/Npgsql/NpgsqlMultiHostDataSource.cs (Pools),
/// MultiHostDataSourceWrapper.cs (WrappedSource), NpgsqlDataSource.cs (Settings), NpgsqlConnection.cs (_dataSource, Settings).
/// </summary>
[TestClass]
public sealed class DataSourceHostsTests
{
    private static readonly RetrySettings Settings = RetrySettings.From(new DbRetryOptions());

    [TestMethod]
    public void This_version_of_Npgsql_has_what_is_needed_to_tell_hosts_apart() => Assert.IsTrue(DataSourceHosts.IsAvailable);

    [TestMethod]
    public void The_hosts_of_a_data_source_are_found_also_behind_a_target_session()
    {
        using var whole = new NpgsqlDataSourceBuilder("Host=a,b:6").BuildMultiHost();
        using var single = NpgsqlDataSource.Create("Host=a");
        using var wrapper = whole.WithTargetSession(TargetSessionAttributes.Standby);

        Assert.AreSame(whole, DataSourceHosts.MultiHost(whole));
        Assert.AreSame(whole, DataSourceHosts.MultiHost(wrapper));
        Assert.IsNull(DataSourceHosts.MultiHost(single));
        CollectionAssert.AreEqual(
            new[] { "a:5432", "b:6" },
            DataSourceHosts.Hosts(whole).Select(DataSourceHosts.SettingsOf).Select(settings => $"{settings.Host}:{settings.Port}").ToArray());
    }

    [TestMethod]
    public void A_closed_connection_moves_to_a_host()
    {
        using var whole = new NpgsqlDataSourceBuilder("Host=a,b").BuildMultiHost();
        using var connection = whole.CreateConnection();
        var host = DataSourceHosts.Hosts(whole)[1];
        DataSourceHosts.Move(connection, host, DataSourceHosts.SettingsOf(host));
        Assert.AreEqual("tcp://b:5432", connection.DataSource);
    }

    [TestMethod]
    [DataRow("Host=route-a,route-b:6")]
    [DataRow("Host=ROUTE-A:5432,route-b;Port=6", DisplayName = "other letters, a port for those without")]
    [DataRow("Host=[::1]:7,route-b:6", DisplayName = "IPv6 with a port")]
    [DataRow("Host=/run/route,route-b:6", DisplayName = "a socket folder")]
    [DataRow("Host=route-a,route-a,route-b", DisplayName = "a repetition")]
    public void Every_host_of_a_data_source_is_reached(string dsn)
    {
        using var dataSource = new NpgsqlDataSourceBuilder(dsn).BuildMultiHost();
        var route = DataSourceRoute.Get(dataSource, null, Settings);

        Assert.IsInstanceOfType<DataSourceRoute>(route);
        Assert.AreSame(route, DataSourceRoute.Get(dataSource, null, Settings));
        for (var host = 0; host < route.Cluster.Hosts.Length; host++)
        {
            using var connection = dataSource.CreateConnection();
            route.Bind(connection, host);
            route.ClearPool(host);
            var expected = route.Cluster.Hosts[host];
            Assert.AreEqual($"{expected}", connection.DataSource.Replace("tcp://", string.Empty, StringComparison.Ordinal), ignoreCase: true);
            Assert.AreEqual(3, connection.ConnectionTimeout);
        }
    }

    [TestMethod]
    [DataRow("Host=t-a,t-b", null, TargetSession.ReadWrite)]
    [DataRow("Host=t-a,t-b;Target Session Attributes=standby", null, TargetSession.Standby)]
    [DataRow("Host=t-a,t-b", TargetSessionAttributes.PreferStandby, TargetSession.PreferStandby)]
    [DataRow("Host=t-a,t-b;Target Session Attributes=standby", TargetSessionAttributes.Primary, TargetSession.Primary)]
    [DataRow("Host=t-a,t-b;Target Session Attributes=standby", TargetSessionAttributes.Any, TargetSession.Any)]
    public void The_target_session_of_a_data_source_is_the_one_that_it_was_given_last(string dsn, TargetSessionAttributes? wrapped, TargetSession expected)
    {
        using var whole = new NpgsqlDataSourceBuilder(dsn).BuildMultiHost();
        var dataSource = wrapped is { } target ? whole.WithTargetSession(target) : whole;
        Assert.AreEqual(expected, DataSourceRoute.Get(dataSource, null, Settings).Target);
        Assert.AreEqual(TargetSession.ReadOnly, DataSourceRoute.Get(dataSource, null, Settings with { TargetSession = TargetSession.ReadOnly }).Target);
    }

    [TestMethod]
    public void A_data_source_with_one_host_is_used_as_a_whole()
    {
        using var dataSource = NpgsqlDataSource.Create("Host=alone;Timeout=7");
        var route = DataSourceRoute.Get(dataSource, TargetSession.Standby, Settings);

        Assert.IsInstanceOfType<WholeDataSourceRoute>(route);
        Assert.AreEqual(TargetSession.Standby, route.Target);
        Assert.AreEqual("alone:5432", route.NameOf(0));
        Assert.AreEqual(TimeSpan.FromSeconds(7), route.PoolTimeout);
        using var connection = dataSource.CreateConnection();
        route.Bind(connection, 0);
        route.ClearPool(0);
        Assert.AreEqual("tcp://alone:5432", connection.DataSource);
        Assert.AreEqual(7, connection.ConnectionTimeout);
        Assert.IsTrue(route.CanProbe);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Where_hosts_cannot_be_told_apart_Npgsql_chooses_and_a_failover_is_survived_all_the_same(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        await using var dataSource = new NpgsqlDataSourceBuilder($"{bed.ConnectionString};Target Session Attributes=primary;Host Recheck Seconds=3600").BuildMultiHost();
        await using var wrapper = dataSource.WithTargetSession(TargetSessionAttributes.Primary);
        var cluster = ConnectionStringRoute.Get(bed.ConnectionString, null, Settings, names: null, TimeProvider.System).Cluster;
        var route = new WholeDataSourceRoute(dataSource, cluster, TargetSession.Primary, TimeSpan.FromSeconds(15));
        Assert.AreEqual($"one of {cluster.Name}", route.NameOf(0));
        var opener = new HostOpener(TimeProvider.System, new Random(1));

        async Task<object?> PortAsync()
        {
            await using var connection = wrapper.CreateConnection();
            var host = async
                ? await opener.OpenAsync(connection, route, new(route.Target), Settings, new AttemptLog(), CancellationToken.None)
                : opener.Open(connection, route, new(route.Target), Settings, new AttemptLog());
            Assert.AreEqual(0, host.Index);
            return await connection.ScalarAsync("select inet_server_port()");
        }

        Assert.AreEqual(bed.Cluster.Port(0), await PortAsync());

        // Npgsql would believe for an hour that node 0 is the primary and node 2 a standby.
        bed.Nodes[0].RefuseConnections();
        bed.Nodes[0].FailAll(FaultAction.Reset);
        bed.Nodes[2].Target = FaultProxy.EndPointOf(bed.Cluster.NodeConnectionString(0));
        bed.Nodes[2].FailAll(FaultAction.Reset);
        route.ClearPool(0);
        Assert.AreEqual(bed.Cluster.Port(0), await PortAsync());
    }

    [TestMethod]
    public async Task The_source_of_a_connection_is_found_in_each_wiring()
    {
        await using var given = NpgsqlDataSource.Create("Host=wiring-a,wiring-b");
        await using var fromString = HostBed.Context("Host=wiring-a");
        await using var fromSource = HostBed.Build(builder => builder.UseNpgsql(given).UseDbRetry());
        await using var configured = HostBed.Context("Host=wiring-a", npgsql: npgsql => npgsql.ConfigureDataSource(_ => { }));

        Assert.IsNull(Source(fromString));
        Assert.AreSame(given, Source(fromSource));
        Assert.IsNotNull(Source(configured));

        static NpgsqlDataSource? Source(DbContext context)
            => EfDataSource.Of(
                context.GetService<IRelationalConnection>(),
                (NpgsqlConnection)context.Database.GetDbConnection());
    }
}
