using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using DbRetry.EFCore.Tests.Transactions;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts.Probing;

/// <summary>A server ends a session, as it does when it is stopped.</summary>
[TestClass]
public sealed class LookAheadTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task A_primary_is_looked_for_as_soon_as_one_ends_a_session_and_not_only_when_the_unit_runs_again(bool async)
    {
        SharedCluster.RequireLocal();
        await using var bed = await HostProxies.CreateAsync();
        await using var context = HostBed.Context(bed.ConnectionString, options => options.TargetSession = TargetSession.ReadWrite);
        var cluster = ClusterRegistry.Get(bed.Nodes.Select(node => new HostEndpoint("127.0.0.1", node.Port)));
        var attempts = 0;

        await context.UnitAsync(async, async () =>
        {
            if (++attempts == 1)
            {
                Assert.AreEqual(0, await context.NodeAsync(bed.Cluster, async, Cancellation));
                Assert.IsFalse(cluster.Prober.IsProbing);
                foreach (var node in bed.Nodes)
                {
                    node.RefuseConnections();
                }
            }

            try
            {
                await context.SqlAsync(async, attempts == 1 ? "select pg_terminate_backend(pg_backend_pid())" : "select 1");
            }
            catch (PostgresException)
            {
                Assert.IsTrue(cluster.Prober.IsProbing);
                foreach (var node in bed.Nodes)
                {
                    node.AcceptConnections();
                }

                throw;
            }
        });

        Assert.AreEqual(2, attempts);
        await Poll.UntilAsync(() => !cluster.Prober.IsProbing, TimeSpan.FromSeconds(30), () => "it goes on", Cancellation);
    }
}
