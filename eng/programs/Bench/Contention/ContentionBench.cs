using DbRetry.EFCore.Tests.Support.Cluster;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.Bench.Contention;

/// <summary>Who finishes how much when everybody wants the same rows.</summary>
internal static class ContentionBench
{
    private const int Writers = 16;

    // The first run pays for compiling the code and filling the server's caches.
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);

    public static async Task RunAsync(TimeSpan length)
    {
        await using var cluster = await LocalCluster.StartAsync(new() { Settings = new Dictionary<string, string> { ["fsync"] = "on" } });
        var connectionString = cluster.NodeConnectionString(0, await cluster.CreateDatabaseAsync("bench"));
        await CreateAsync(connectionString);

        var stock = Options(connectionString, builder => builder.UseNpgsql(connectionString, npgsql => npgsql.EnableRetryOnFailure()));
        var racing = Options(connectionString, builder => builder.UseDbRetry(options => options.QueueConflicts = false));
        var queueing = Options(connectionString, builder => builder.UseDbRetry());
        await new HotRows(queueing, Writers, CounterContext.Rows).RunAsync(WarmUp);

        Console.WriteLine($"PostgreSQL {cluster.Binaries.Version}, {Writers} writers, {length.TotalSeconds:0.#} s each");
        Console.WriteLine($"{"",-48}{"commits/s",10}{"ratio",8}{"median",10}{"p99",10}{"slowest",11}{"errors",8}");
        var alone = await new HotRows(queueing, 1, 1).RunAsync(length);
        Report("one writer alone, UseDbRetry()", alone, alone);
        Report("one writer alone, EnableRetryOnFailure()", await new HotRows(stock, 1, 1).RunAsync(length), alone);
        foreach (var rows in new[] { 1, 4, 64, CounterContext.Rows })
        {
            Report($"{rows:N0} rows, EnableRetryOnFailure()", await new HotRows(stock, Writers, rows).RunAsync(length), alone);
            Report($"{rows:N0} rows, UseDbRetry() without its queue", await new HotRows(racing, Writers, rows).RunAsync(length), alone);
            Report($"{rows:N0} rows, UseDbRetry()", await new HotRows(queueing, Writers, rows).RunAsync(length), alone);
        }
    }

    private static DbContextOptions<CounterContext> Options(string connectionString, Action<DbContextOptionsBuilder> configure)
    {
        var builder = new DbContextOptionsBuilder<CounterContext>().UseNpgsql(connectionString);
        configure(builder);
        return builder.Options;
    }

    private static async Task CreateAsync(string connectionString)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var create = new NpgsqlCommand(CounterContext.Schema, connection);
        await create.ExecuteNonQueryAsync();
    }

    private static void Report(string label, HotRowsResult result, HotRowsResult alone)
        => Console.WriteLine(
            $"{label,-48}{result.PerSecond,10:0}{result.PerSecond / alone.PerSecond,8:0.00}{result.Quantile(0.5).TotalMilliseconds,7:0.0} ms"
            + $"{result.Quantile(0.99).TotalMilliseconds,7:0} ms{result.Quantile(1).TotalMilliseconds,8:0} ms{result.Errors,8}");
}
