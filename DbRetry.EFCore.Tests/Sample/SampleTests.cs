using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.EFCore.Tests.Sample;

/// <summary>The sample as its callers see it while its database fails over.</summary>
[TestClass]
public sealed class SampleTests
{
    private const int Callers = 6;
    private const int RequestsBefore = 40;
    private const int RequestsAfter = 40;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    // Built beside the tests, in the same configuration.
    private static readonly string Assembly = SampleAssembly(new DirectoryInfo(AppContext.BaseDirectory));

    private readonly ConcurrentQueue<Guid> _orders = new();
    private readonly ConcurrentQueue<Guid> _transfers = new();

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    private int Served => _orders.Count + _transfers.Count;

    [TestMethod]
    public async Task Every_request_is_carried_out_exactly_once_while_the_primary_is_killed_and_a_standby_promoted()
    {
        await using var cluster = await SharedCluster.OwnAsync(new() { Nodes = 3, Synchronous = true }, Cancellation);
        var database = await cluster.CreateDatabaseAsync("shop", Cancellation);
        await using var sample = await WebProcess.StartAsync(Assembly, cluster.ConnectionString(database), Cancellation);

        Assert.AreEqual("Healthy", await sample.Client.GetStringAsync(At("/health"), Cancellation));
        using var enough = new CancellationTokenSource();
        var callers = Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => CallAsync(sample, caller, enough.Token)));
        try
        {
            await ServedAsync(RequestsBefore, callers);
            await cluster.KillAsync(cluster.PrimaryIndex, Cancellation);
            await cluster.FailoverAsync(Cancellation);
            await ServedAsync(Served + RequestsAfter, callers);
        }
        finally
        {
            await enough.CancelAsync();
            await callers;
        }

        await using var connection = await cluster.AdminConnectionAsync(cluster.PrimaryIndex, database, Cancellation);
        CollectionAssert.AreEquivalent(_orders.ToList(), await RequestsAsync(connection, "Orders"));
        CollectionAssert.AreEquivalent(_transfers.ToList(), await RequestsAsync(connection, "Transfers"));
        var accounts = await sample.Client.GetFromJsonAsync<JsonElement[]>(At("/accounts"), Cancellation);
        Assert.AreEqual(4_000L, accounts!.Sum(account => account.GetProperty("balance").GetInt64()));
        var metrics = await sample.Client.GetStringAsync(At("/metrics"), Cancellation);
        Assert.Contains("dbretry_failovers", metrics, metrics);

        // The killed server is missing.
        Assert.AreEqual("Degraded", await sample.Client.GetStringAsync(At("/health"), Cancellation));
    }

    [TestMethod]
    public async Task An_order_is_found_again()
    {
        await using var database = await TestDatabase.CreateAsync(Cancellation);
        await using var sample = await WebProcess.StartAsync(Assembly, database.ConnectionString, Cancellation);

        var placed = await OrderAsync(sample, Guid.NewGuid());

        var found = await sample.Client.GetFromJsonAsync<JsonElement>(placed.Headers.Location, Cancellation);
        Assert.AreEqual("bread", found.GetProperty("lines")[0].GetProperty("article").GetString());
        Assert.AreEqual("Healthy", await sample.Client.GetStringAsync(At("/health"), Cancellation));
        using var missing = await sample.Client.GetAsync(At("/orders/0"), Cancellation);
        Assert.AreEqual(System.Net.HttpStatusCode.NotFound, missing.StatusCode);
    }

    private static string SampleAssembly(DirectoryInfo ours)
        => Path.GetFullPath(Path.Combine(ours.FullName, "..", "..", "..", "..", "eng", "Sample", "bin", ours.Parent!.Name, ours.Name, "Sample.dll"));

    private static Uri At(string path) => new(path, UriKind.Relative);

    private async Task CallAsync(WebProcess sample, int caller, CancellationToken enough)
    {
        while (!enough.IsCancellationRequested)
        {
            var requestId = Guid.NewGuid();
            if (caller % 2 == 0)
            {
                (await OrderAsync(sample, requestId)).Dispose();
                _orders.Enqueue(requestId);
            }
            else
            {
                var request = new { requestId, from = 1 + (caller % 4), to = 1 + ((caller + 1) % 4), amount = 1 };
                using var response = await sample.Client.PostAsJsonAsync("/transfers", request, Cancellation);
                await SucceededAsync(response, sample);
                _transfers.Enqueue(requestId);
            }
        }
    }

    private async Task<HttpResponseMessage> OrderAsync(WebProcess sample, Guid requestId)
    {
        var request = new { requestId, customer = "somebody", lines = new[] { new { article = "bread", quantity = 2 } } };
        var response = await sample.Client.PostAsJsonAsync("/orders", request, Cancellation);
        await SucceededAsync(response, sample);
        return response;
    }

    private async Task SucceededAsync(HttpResponseMessage response, WebProcess sample)
        => Assert.IsTrue(
            response.IsSuccessStatusCode,
            $"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync(Cancellation)}\n{sample.Output}");

    // A caller that saw an error ends the wait.
    private async Task ServedAsync(int requests, Task callers)
        => await Poll.UntilAsync(
            () => Served >= requests || callers.IsFaulted, Limit, () => $"{Served} of {requests} requests were served", Cancellation);

    private async Task<List<Guid>> RequestsAsync(NpgsqlConnection connection, string table)
    {
        await using var command = new NpgsqlCommand($"select \"RequestId\" from \"{table}\"", connection);
        await using var reader = await command.ExecuteReaderAsync(Cancellation);
        var requests = new List<Guid>();
        while (await reader.ReadAsync(Cancellation))
        {
            requests.Add(reader.GetGuid(0));
        }

        return requests;
    }
}
