using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts.Targets;

/// <summary>Node 0 is the primary, 1 and 2 are standbys.</summary>
[TestClass]
public sealed class TargetSessionScopeTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_scope_moves_the_context_and_ends_with_its_disposal(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.ConnectionString());
        await AssertNodesAsync("0", context, cluster, async);
        using (context.Database.UseTargetSession(TargetSession.Standby))
        {
            await AssertNodesAsync("12", context, cluster, async);
        }

        await AssertNodesAsync("0", context, cluster, async);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_inner_one_of_nested_scopes_counts(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.ConnectionString(), options => options.TargetSession = TargetSession.Standby);
        using (context.Database.UseTargetSession(TargetSession.Primary))
        {
            using (context.Database.UseTargetSession(TargetSession.PreferStandby))
            {
                await AssertNodesAsync("12", context, cluster, async);
            }

            await AssertNodesAsync("0", context, cluster, async);
        }

        await AssertNodesAsync("12", context, cluster, async);
    }

    [TestMethod]
    public async Task A_scope_that_ends_before_those_inside_it_ends_them_too()
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.ConnectionString());
        var outer = context.Database.UseTargetSession(TargetSession.PreferStandby);
        var inner = context.Database.UseTargetSession(TargetSession.Standby);
        outer.Dispose();
        await AssertNodesAsync("0", context, cluster, async: true);

        using var other = context.Database.UseTargetSession(TargetSession.Standby);
        inner.Dispose();
        outer.Dispose();
        await AssertNodesAsync("12", context, cluster, async: true);
    }

    [TestMethod]
    [DataRow(false, 0)]
    [DataRow(true, 0)]
    [DataRow(false, 2)]
    [DataRow(true, 2)]
    public async Task An_open_connection_that_does_not_fit_is_an_error_and_one_that_will_do_is_not(bool async, int node)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.NodeConnectionString(node));
        await using var transaction = await context.BeginAsync(async);
        var unfit = node == 0 ? TargetSession.Standby : TargetSession.ReadWrite;
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => context.Database.UseTargetSession(unfit));
        Assert.Contains($"is open and leads to a {(node == 0 ? "primary" : "standby")} (127.0.0.1:{cluster.Port(node)})", error.Message);

        using var acceptable = context.Database.UseTargetSession(node == 0 ? TargetSession.PreferStandby : TargetSession.PreferPrimary);
        await AssertNodesAsync($"{node}", context, cluster, async);
    }

    [TestMethod]
    public async Task Nobody_knows_whether_an_open_connection_to_a_standby_shows_a_position()
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.ConnectionString());
        using var scope = context.Database.UseTargetSession(TargetSession.Standby);
        await context.Database.OpenConnectionAsync(Cancellation);
        var error = Assert.ThrowsExactly<InvalidOperationException>(
            () => context.Database.UseTargetSession(TargetSession.Standby, CommitPosition.Parse("1-1-1")));
        Assert.Contains("may not have come to the position", error.Message);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_context_from_a_pool_knows_nothing_of_the_scopes_of_the_one_before(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var provider = new ServiceCollection()
            .AddDbContextPool<CounterContext>(builder => builder.UseNpgsql(cluster.ConnectionString()).UseDbRetry(RetryBed.Quick), poolSize: 1)
            .BuildServiceProvider();
        IDisposable? left = null;
        CounterContext? first = null;
        await using (var lease = provider.CreateAsyncScope())
        {
            first = lease.ServiceProvider.GetRequiredService<CounterContext>();
            left = first.Database.UseTargetSession(TargetSession.Standby);
            await AssertNodesAsync("12", first, cluster, async);
        }

        await using (var lease = provider.CreateAsyncScope())
        {
            var second = lease.ServiceProvider.GetRequiredService<CounterContext>();
            Assert.AreSame(first, second);
            await AssertNodesAsync("0", second, cluster, async);
            using var scope = second.Database.UseTargetSession(TargetSession.Standby);
            left.Dispose();
            await AssertNodesAsync("12", second, cluster, async);
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_scope_costs_no_round_trip(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        await using var context = HostBed.Context($"{bed.Through(1, 0)};No Reset On Close=true");
        using var scope = context.Database.UseTargetSession(TargetSession.PreferStandby);
        for (var i = 0; i < 20; i++)
        {
            await context.PortAsync(async, Cancellation); // Both hosts are known then.
        }

        bed.Arm();
        await context.PortAsync(async, Cancellation);
        var sent = bed.Sql();
        Assert.HasCount(1, sent, string.Join('|', sent));
    }

    [TestMethod]
    public async Task What_DbRetry_has_no_say_in_is_an_error()
    {
        await using var stock = HostBed.Build(builder => builder.UseNpgsql("Host=nowhere"));
        var unknown = Assert.ThrowsExactly<InvalidOperationException>(() => stock.Database.UseTargetSession(TargetSession.Standby));
        Assert.Contains("Call UseDbRetry()", unknown.Message);
        Assert.ThrowsExactly<InvalidOperationException>(() => stock.Database.GetLastCommitPosition());

        await using var connection = new NpgsqlConnection("Host=nowhere");
        await using var given = HostBed.Build(builder => builder.UseNpgsql(connection).UseDbRetry());
        var theirs = Assert.ThrowsExactly<InvalidOperationException>(() => given.Database.UseTargetSession(TargetSession.Standby));
        Assert.Contains("passed in", theirs.Message);

        await using var context = HostBed.Context("Host=nowhere");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => context.Database.UseTargetSession((TargetSession)99));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => context.Items.WithTargetSession((TargetSession)99));
    }

    private async Task AssertNodesAsync(string nodes, DbContext context, LocalCluster cluster, bool async)
    {
        for (var i = 0; i < 4; i++)
        {
            Assert.Contains($"{await context.NodeAsync(cluster, async, Cancellation)}", nodes);
        }
    }
}
