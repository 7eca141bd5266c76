using DbRetry.Demo.Load;
using DbRetry.Demo.Results;
using DbRetry.Demo.Shop;
using DbRetry.Demo.Trouble;
using DbRetry.Demo.Views;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.Demo;

/// <summary>One run: a fresh cluster, the load, the trouble, and the reckoning.</summary>
internal sealed class DemoRun(RetryMode mode, IView view)
{
    public async Task<RunResult> RunAsync(CancellationToken cancellationToken)
    {
        view.Say($"{ShopOptions.Name(mode)}: starting three PostgreSQL servers");
        await using var cluster = await LocalCluster.StartAsync(new() { Nodes = 3, Synchronous = true }, cancellationToken);
        var database = await cluster.CreateDatabaseAsync("shop", cancellationToken);
        await ShopDatabase.CreateAsync(cluster.NodeConnectionString(cluster.PrimaryIndex, database), cancellationToken);
        view.Say($"PostgreSQL {cluster.Binaries.Version}, streaming replication, every commit waits for one of two standbys");

        var retries = new RetryTally();
        var workload = new Workload(ShopOptions.Build(mode, cluster.ConnectionString(database), retries.Add));
        await workload.WarmUpAsync(cancellationToken);

        var board = new Board(mode, cluster, retries);
        using var finished = new CancellationTokenSource();
        var showing = view.ShowAsync(board, finished.Token);
        PrimaryOutage outage;
        try
        {
            outage = await MakeTroubleAsync(board, workload, cluster, cancellationToken);
        }
        finally
        {
            await finished.CancelAsync();
            await showing;
            NpgsqlConnection.ClearAllPools();
        }
        return new(mode, board.Ledger.Entries, retries, outage, await GroundTruth.ReadAsync(cluster, database, cancellationToken));
    }

    private static async Task<PrimaryOutage> MakeTroubleAsync(
        Board board, Workload workload, LocalCluster cluster, CancellationToken cancellationToken)
    {
        using var closing = new CancellationTokenSource();
        var load = workload.RunAsync(board.Ledger, closing.Token, cancellationToken);
        try
        {
            return await new Troublemaker(cluster, board.Clock, board.Events).RunAsync(cancellationToken);
        }
        finally
        {
            await closing.CancelAsync();
            await load;
        }
    }
}
