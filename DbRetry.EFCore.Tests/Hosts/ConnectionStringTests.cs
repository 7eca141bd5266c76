using System.Data.Common;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>Whose connection string holds: the application's, whatever hosts are tried behind it.</summary>
[TestClass]
public sealed class ConnectionStringTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_connection_string_that_a_context_tells_stays_the_original(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.ConnectionString());
        for (var i = 0; i < 3; i++)
        {
            Assert.AreEqual(cluster.ConnectionString(), context.Database.GetConnectionString());
            Assert.AreEqual(0, await context.NodeAsync(cluster, async, Cancellation));
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_connection_string_that_is_set_later_is_honoured(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.ConnectionString());
        Assert.AreEqual(0, await context.NodeAsync(cluster, async, Cancellation));

        context.Database.SetConnectionString($"{cluster.ConnectionString("postgres", 0, 2)};Target Session Attributes=standby");
        Assert.AreEqual(2, await context.NodeAsync(cluster, async, Cancellation));

        context.Database.SetConnectionString(cluster.ConnectionString());
        Assert.AreEqual(0, await context.NodeAsync(cluster, async, Cancellation));
    }

    [TestMethod]
    public async Task A_URI_that_is_set_later_is_honoured()
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.ConnectionString());
        Assert.AreEqual(0, await context.NodeAsync(cluster, async: true, Cancellation));

        context.Database.SetConnectionString(HostBed.Uri(cluster, "target_session_attrs=standby"));
        Assert.AreNotEqual(0, await context.NodeAsync(cluster, async: true, Cancellation));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_connection_string_that_an_interceptor_of_the_application_sets_is_honoured(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        var tenant = new Redirect { ConnectionString = $"{cluster.ConnectionString()};Target Session Attributes=primary" };
        await using var context = HostBed.Context("Host=nowhere.invalid", more: builder => builder.AddInterceptors(tenant));
        Assert.AreEqual(0, await context.NodeAsync(cluster, async, Cancellation));

        tenant.ConnectionString = $"{cluster.ConnectionString()};Target Session Attributes=standby";
        Assert.AreNotEqual(0, await context.NodeAsync(cluster, async, Cancellation));
    }

    [TestMethod]
    public async Task A_connection_string_that_an_interceptor_sets_is_honoured_on_a_connection_of_a_data_source()
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var dataSource = NpgsqlDataSource.Create(cluster.ConnectionString());
        var redirect = new Redirect { ConnectionString = cluster.NodeConnectionString(2) };
        await using var context = HostBed.Build(builder => builder.UseNpgsql(dataSource).UseDbRetry().AddInterceptors(redirect));
        Assert.AreEqual(2, await context.NodeAsync(cluster, async: true, Cancellation));

        redirect.ConnectionString = null;
        Assert.AreEqual(2, await context.NodeAsync(cluster, async: true, Cancellation));
    }

    [TestMethod]
    public async Task An_interceptor_that_opens_the_connection_itself_is_left_to_it()
    {
        var cluster = await SharedCluster.TripleAsync();
        var opener = new Redirect { ConnectionString = cluster.NodeConnectionString(1), Opens = true };
        await using var context = HostBed.Context(cluster.ConnectionString(), more: builder => builder.AddInterceptors(opener));
        Assert.AreEqual(1, await context.NodeAsync(cluster, async: true, Cancellation));
        Assert.AreEqual(1, await context.NodeAsync(cluster, async: false, Cancellation));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_connection_of_the_application_is_left_alone(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        var dsn = $"{cluster.ConnectionString("postgres", 0, 1)};Target Session Attributes=standby";
        await using var connection = new NpgsqlConnection(dsn);
        await using var context = HostBed.Build(builder => builder.UseNpgsql(connection).UseDbRetry(options => options.TargetSession = TargetSession.Primary));

        Assert.AreEqual(1, await context.NodeAsync(cluster, async, Cancellation));
        Assert.Contains($":{cluster.Port(0)},", connection.ConnectionString);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_connection_that_the_application_passes_in_later_is_left_alone(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var connection = new NpgsqlConnection($"{cluster.ConnectionString("postgres", 0, 1)};Target Session Attributes=standby");
        await using var context = HostBed.Context(cluster.ConnectionString(), options => options.TargetSession = TargetSession.Primary);
        Assert.AreEqual(0, await context.NodeAsync(cluster, async, Cancellation));

        context.Database.SetDbConnection(connection);
        Assert.AreEqual(1, await context.NodeAsync(cluster, async, Cancellation));
        Assert.Contains($":{cluster.Port(0)},", connection.ConnectionString);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_pooled_context_finds_its_hosts_each_time(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        var options = new DbContextOptionsBuilder<CounterContext>().UseNpgsql($"{bed.ConnectionString};Password=not-asked-for").UseDbRetry().Options;
        var factory = new PooledDbContextFactory<CounterContext>(options, poolSize: 1);
        for (var i = 0; i < 3; i++)
        {
            await using var context = await factory.CreateDbContextAsync(Cancellation);
            Assert.AreEqual(0, await context.NodeAsync(bed.Cluster, async, Cancellation));
            Assert.AreEqual($"{bed.ConnectionString};Password=not-asked-for", context.Database.GetConnectionString());
        }
    }

    [TestMethod]
    public async Task The_password_is_there_at_every_open_though_the_connection_forgets_it()
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context($"{cluster.ConnectionString()};Password=kept;Pooling=false");
        Assert.AreEqual(0, await context.NodeAsync(cluster, async: true, Cancellation));
        Assert.DoesNotContain("kept", context.Database.GetDbConnection().ConnectionString);
        Assert.AreEqual(0, await context.NodeAsync(cluster, async: true, Cancellation));
        Assert.Contains("kept", context.Database.GetConnectionString()!);
    }

    [TestMethod]
    public async Task An_exhausted_pool_is_waited_for()
    {
        var cluster = await SharedCluster.TripleAsync();
        var dsn = $"{cluster.ConnectionString()};Maximum Pool Size=1;Application Name=exhausted";
        await using var holder = HostBed.Context(dsn, QuickHost);
        await holder.Database.OpenConnectionAsync(Cancellation);
        var work = WaitAsync();
        await Task.Delay(1200, Cancellation);
        Assert.IsFalse(work.IsCompleted, "The connection string allows 5 s for a place in the pool.");

        await holder.Database.CloseConnectionAsync();
        Assert.AreEqual(cluster.Port(0), await work);

        void QuickHost(DbRetryOptions options) => options.HostTimeout = TimeSpan.FromSeconds(1);

        async Task<int> WaitAsync()
        {
            await using var waiting = HostBed.Context(dsn, QuickHost);
            return await waiting.PortAsync(async: true, Cancellation);
        }
    }

    private sealed class Redirect : DbConnectionInterceptor
    {
        public string? ConnectionString { get; set; }

        public bool Opens { get; init; }

        public override InterceptionResult ConnectionOpening(DbConnection connection, ConnectionEventData eventData, InterceptionResult result)
        {
            connection.ConnectionString = ConnectionString ?? connection.ConnectionString;
            if (Opens)
            {
                connection.Open();
                return InterceptionResult.Suppress();
            }

            return result;
        }

        public override ValueTask<InterceptionResult> ConnectionOpeningAsync(
            DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
            => ValueTask.FromResult(ConnectionOpening(connection, eventData, result));
    }
}
