using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.RegularExpressions;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.EFCore.Tests.Packaging;

/// <summary>A new user with the SDK, the packages and the README, and nothing else.</summary>
[TestClass]
public sealed partial class NewApplicationTests
{
    private const int Callers = 4;
    private const int Requests = 40;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly ConcurrentQueue<string> _placed = new();

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task What_the_README_shows_survives_a_failover_and_tells_of_it()
    {
        var readme = await File.ReadAllTextAsync(SourceTree.Require("README.md"), Cancellation);
        await using var cluster = await SharedCluster.OwnAsync(new() { Nodes = 3, Synchronous = true }, Cancellation);
        var database = await cluster.CreateDatabaseAsync("shop", Cancellation);
        using var application = new NewApplication(await PackedFeed.SharedAsync(), readme);

        var (assembly, output) = await application.MakeAsync(Cancellation);
        Assert.Contains("0 Warning(s)", output, output);
        await using var process = await WebProcess.StartAsync(assembly, cluster.ConnectionString(database), Cancellation);
        Assert.AreEqual("Healthy", await GetAsync(process, "/health"));
        Assert.AreEqual(0, await FailoversAsync(process));

        using var enough = new CancellationTokenSource();
        var callers = Task.WhenAll(Enumerable.Range(0, Callers).Select(_ => CallAsync(process, enough.Token)));
        try
        {
            await PlacedAsync(Requests, callers);
            await cluster.KillAsync(cluster.PrimaryIndex, Cancellation);
            await cluster.FailoverAsync(Cancellation);
            await PlacedAsync(_placed.Count + Requests, callers);
        }
        finally
        {
            await enough.CancelAsync();
            await callers;
        }

        Assert.AreEqual(1, await FailoversAsync(process));
        Assert.AreEqual("Degraded", await GetAsync(process, "/health"));
        await using var connection = await cluster.AdminConnectionAsync(cluster.PrimaryIndex, database, Cancellation);
        CollectionAssert.AreEquivalent(_placed.ToList(), await CustomersAsync(connection));
    }

    private async Task CallAsync(WebProcess process, CancellationToken enough)
    {
        while (!enough.IsCancellationRequested)
        {
            var customer = $"{Guid.NewGuid()}";
            using var response = await process.Client.PostAsJsonAsync("/orders", new { customer }, Cancellation);
            Assert.IsTrue(response.IsSuccessStatusCode, $"{response.StatusCode}\n{process.Output}");
            _placed.Enqueue(customer);
        }
    }

    // A caller that saw an error ends the wait.
    private Task PlacedAsync(int orders, Task callers)
        => Poll.UntilAsync(() => _placed.Count >= orders || callers.IsFaulted, Limit, () => $"{_placed.Count} of {orders} orders", Cancellation);

    private async Task<int> FailoversAsync(WebProcess process)
    {
        var metrics = await GetAsync(process, "/metrics");
        return Failovers().Matches(metrics).Sum(count => int.Parse(count.Groups[1].Value, CultureInfo.InvariantCulture));
    }

    private Task<string> GetAsync(WebProcess process, string path) => process.Client.GetStringAsync(new Uri(path, UriKind.Relative), Cancellation);

    private async Task<List<string>> CustomersAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand("select \"Customer\" from \"Orders\"", connection);
        await using var reader = await command.ExecuteReaderAsync(Cancellation);
        var customers = new List<string>();
        while (await reader.ReadAsync(Cancellation))
        {
            customers.Add(reader.GetString(0));
        }

        return customers;
    }

    [GeneratedRegex(@"^dbretry_failovers_total\{.*?\} (\d+)", RegexOptions.Multiline)]
    private static partial Regex Failovers();
}
