using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Tests.Support;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>Node 0 is the primary, 1 and 2 are standbys; each has a port of its own.</summary>
[TestClass]
public sealed class TargetSessionTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    public static IEnumerable<object[]> Cases()
    {
        (TargetSession Target, string Nodes)[] expected =
        [
            (TargetSession.Any, "012"), (TargetSession.ReadWrite, "0"), (TargetSession.ReadOnly, "12"), (TargetSession.Primary, "0"),
            (TargetSession.Standby, "12"), (TargetSession.PreferPrimary, "0"), (TargetSession.PreferStandby, "12"),
        ];
        return expected.SelectMany(row => new[] { new object[] { row.Target, row.Nodes, true }, [row.Target, row.Nodes, false] });
    }

    [TestMethod]
    [DynamicData(nameof(Cases))]
    public async Task A_target_session_in_the_connection_string_is_honoured(TargetSession target, string nodes, bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        var dsn = $"{cluster.ConnectionString()};Target Session Attributes={TargetSessionNames.Format(target)}";
        await AssertServedAsync(nodes, async, () => HostBed.Context(dsn));
    }

    [TestMethod]
    [DynamicData(nameof(Cases))]
    public async Task A_target_session_in_the_options_is_honoured(TargetSession target, string nodes, bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await AssertServedAsync(nodes, async, () => HostBed.Context(cluster.ConnectionString(), options => options.TargetSession = target));
    }

    [TestMethod]
    [DynamicData(nameof(Cases))]
    public async Task A_target_session_in_a_URI_is_honoured(TargetSession target, string nodes, bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        var dsn = HostBed.Uri(cluster, $"target_session_attrs={TargetSessionNames.Format(target)}");
        await AssertServedAsync(nodes, async, () => HostBed.Context(dsn));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Several_hosts_without_a_word_on_the_target_mean_the_primary(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await AssertServedAsync("0", async, () => HostBed.Context(cluster.ConnectionString("postgres", 2, 1, 0)));
    }

    [TestMethod]
    public async Task The_option_wins_over_the_target_session_of_the_DSN()
    {
        var cluster = await SharedCluster.TripleAsync();
        var dsn = HostBed.Uri(cluster, "target_session_attrs=standby");
        await AssertServedAsync("0", async: true, () => HostBed.Context(dsn, options => options.TargetSession = TargetSession.Primary));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Reads_come_from_both_standbys(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await AssertServedAsync(
            "12", async, () => HostBed.Context(cluster.ConnectionString(), options => options.TargetSession = TargetSession.PreferStandby), all: true);
    }

    [TestMethod]
    [DataRow(0, TargetSession.PreferStandby)]
    [DataRow(1, TargetSession.PreferPrimary)]
    public async Task A_preference_settles_for_a_single_host_of_the_other_role(int node, TargetSession target)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context(cluster.NodeConnectionString(node), options => options.TargetSession = target);
        Assert.AreEqual(node, await context.NodeAsync(cluster, async: true, Cancellation));
    }

    [TestMethod]
    [DataRow("Npgsql", false)]
    [DataRow("Npgsql", true)]
    [DataRow("URI", true)]
    [DataRow("key-value", true)]
    public async Task A_target_session_for_a_single_host_is_honoured_though_Npgsql_refuses_it(string form, bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        string Dsn(int node, string target) => form switch
        {
            "URI" => $"postgresql://postgres@127.0.0.1:{cluster.Port(node)}/postgres?target_session_attrs={target}",
            "key-value" => $"host=127.0.0.1 port={cluster.Port(node)} user=postgres dbname=postgres target_session_attrs={target}",
            _ => $"{cluster.NodeConnectionString(node)};Target Session Attributes={target}",
        };

        await using var fitting = HostBed.Context(Dsn(1, "standby"));
        Assert.AreEqual(1, await fitting.NodeAsync(cluster, async, Cancellation));

        await using var unfit = HostBed.Context(Dsn(1, "read-write"), options => options.MaxRetryCount = 0);
        var error = await Assert.ThrowsExactlyAsync<NoSuitableHostException>(() => unfit.PortAsync(async, Cancellation));
        Assert.AreEqual(TargetSession.ReadWrite, error.Target);
        Assert.Contains("it is a standby", error.Message);
    }

    [TestMethod]
    public async Task The_option_wins_over_the_target_session_of_a_DSN_with_a_single_host()
    {
        var cluster = await SharedCluster.TripleAsync();
        var dsn = $"postgresql://postgres@127.0.0.1:{cluster.Port(1)}/postgres?target_session_attrs=primary";
        await using var context = HostBed.Context(dsn, options => options.TargetSession = TargetSession.Standby);
        Assert.AreEqual(1, await context.NodeAsync(cluster, async: true, Cancellation));
    }

    [TestMethod]
    public async Task The_target_session_of_one_DSN_does_not_hold_for_the_next_one()
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var context = HostBed.Context($"postgresql://postgres@127.0.0.1:{cluster.Port(1)}/postgres?target_session_attrs=standby");
        Assert.AreEqual(1, await context.NodeAsync(cluster, async: true, Cancellation));

        context.Database.SetConnectionString(cluster.ConnectionString());
        Assert.AreEqual(0, await context.NodeAsync(cluster, async: true, Cancellation));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_primary_whose_sessions_are_read_only_serves_reads_and_no_writes(bool async)
    {
        var cluster = await SharedCluster.TripleAsync();
        await using var database = await TestDatabase.CreateAsync(cluster, Cancellation);
        await using (var admin = await cluster.AdminConnectionAsync(0, cancellationToken: Cancellation))
        {
            await admin.ExecuteAsync($"alter database \"{database.Name}\" set default_transaction_read_only = on", Cancellation);
        }

        async Task<int> ServedAsync(TargetSession target)
        {
            await using var context = HostBed.Context(
                cluster.NodeConnectionString(0, database.Name),
                options =>
                {
                    options.TargetSession = target;
                    options.MaxRetryCount = 0;
                });
            return await context.NodeAsync(cluster, async, Cancellation);
        }

        Assert.AreEqual(0, await ServedAsync(TargetSession.ReadOnly));
        Assert.AreEqual(0, await ServedAsync(TargetSession.Primary));
        Assert.AreEqual(0, await ServedAsync(TargetSession.PreferStandby));
        var error = await Assert.ThrowsExactlyAsync<NoSuitableHostException>(() => ServedAsync(TargetSession.ReadWrite));
        Assert.Contains("default_transaction_read_only = on", error.Message);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Roles_that_the_server_reports_cost_no_round_trip(bool async)
    {
        await using var bed = await HostProxies.CreateAsync();
        await using var context = HostBed.Context($"{bed.ConnectionString};No Reset On Close=true");
        await context.PortAsync(async, Cancellation);
        bed.Arm();

        await context.PortAsync(async, Cancellation);

        var sent = bed.Sql();
        Assert.HasCount(1, sent, string.Join('|', sent));
    }

    private async Task AssertServedAsync(string nodes, bool async, Func<DbContext> create, bool all = false)
    {
        var cluster = await SharedCluster.TripleAsync();
        var seen = new SortedSet<int>();
        for (var i = 0; i < (all ? 100 : 5); i++)
        {
            await using var context = create();
            seen.Add(await context.NodeAsync(cluster, async, Cancellation));
            if (all && seen.Count == nodes.Length)
            {
                break;
            }
        }

        var found = string.Concat(seen);
        Assert.IsTrue(found.All(nodes.Contains), $"{found} served, {nodes} should");
        Assert.IsTrue(!all || found == nodes, $"{found} served, {nodes} should");
    }
}
