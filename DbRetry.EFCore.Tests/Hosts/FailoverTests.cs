using System.Collections.Concurrent;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>The primary goes, in earnest, while all wirings write: nobody sees an error, nothing is lost, nothing is there twice.</summary>
[TestClass]
public sealed partial class FailoverTests
{
    private static LocalCluster? _cluster;
    private static MovingAddresses? _addresses;
    private static string _sockets = string.Empty;
    private static string _database = string.Empty;
    private static IReadOnlyList<Wiring> _wirings = [];
    private static IReadOnlyList<Wiring> _behind = [];

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    private static LocalCluster Cluster => _cluster!;

    [ClassInitialize]
    public static async Task StartAsync(TestContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (SharedCluster.ExternalServer is not null)
        {
            return; // Each test says that it needs a cluster of its own.
        }

        _sockets = Directory.CreateTempSubdirectory("dbr").FullName;
        ServerAccount.Current.Own(_sockets);
        _cluster = await SharedCluster.OwnAsync(
            new LocalClusterOptions
            {
                Nodes = 3,
                Synchronous = true,
                Settings = new Dictionary<string, string> { ["unix_socket_directories"] = _sockets },
                AccessRules = [$"host all {Wiring.Role} 127.0.0.1/32 scram-sha-256", "local all all trust"],
            },
            context.CancellationToken);
        _database = await _cluster.CreateDatabaseAsync(cancellationToken: context.CancellationToken);
        await using var admin = await _cluster.AdminConnectionAsync(0, _database, context.CancellationToken);
        await admin.ExecuteAsync(
            $"{MarkerContext.Schema} create role {Wiring.Role} login password 'right'; grant all on markers to {Wiring.Role}", context.CancellationToken);
        await _cluster.WaitForReplayAsync(context.CancellationToken);
        _wirings = Wiring.All(_cluster, _database, _sockets);
        _addresses = await MovingAddresses.StartAsync(_cluster, context.CancellationToken);
        _behind = Wiring.Behind(_addresses.ConnectionStrings(_database));
    }

    [ClassCleanup]
    public static async Task StopAsync()
    {
        if (_cluster is null)
        {
            return;
        }

        foreach (var wiring in _wirings.Concat(_behind))
        {
            await wiring.DisposeAsync();
        }

        if (_addresses is not null)
        {
            await _addresses.DisposeAsync();
        }

        await _cluster.DisposeAsync();
        Directory.Delete(_sockets, recursive: true);
    }

    [TestInitialize]
    public async Task AllNodesAsync()
    {
        SharedCluster.RequireLocal();
        for (var node = 0; node < Cluster.NodeCount; node++)
        {
            if (!Cluster.IsRunning(node))
            {
                await Cluster.RejoinAsync(node, Cancellation);
            }
        }

        await Cluster.WaitForStandbysAsync(2, Cancellation);
    }

    [TestMethod]
    public async Task Each_wiring_writes_on_through_the_death_of_its_primary_and_applies_everything_once()
    {
        await AssertNothingIsNoticedAsync(_wirings, writers: 2, FailOverAsync);
        foreach (var wiring in _wirings)
        {
            await wiring.AssertMappedAsync(Cancellation);
        }
    }

    [TestMethod]
    public async Task Eight_writers_on_a_plain_connection_string_write_on_through_the_death_of_their_primary()
        => await AssertNothingIsNoticedAsync(_wirings.Take(1), writers: 8, FailOverAsync);

    [TestMethod]
    public async Task Writers_write_on_while_their_primary_becomes_a_standby()
        => await AssertNothingIsNoticedAsync(_wirings.Take(4), writers: 2, SwitchOverAsync);

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_client_that_slept_through_a_switchover_finds_the_new_primary_with_its_next_write(bool async)
    {
        foreach (var wiring in _wirings)
        {
            await wiring.WriteAsync($"before {wiring} {async}", async, Cancellation);
        }

        await SwitchOverAsync();

        foreach (var wiring in _wirings)
        {
            await wiring.WriteAsync($"after {wiring} {async}", async, Cancellation);
        }

        var found = await FoundAsync(" ");
        foreach (var wiring in _wirings)
        {
            Assert.HasCount(1, found.Where(text => text == $"before {wiring} {async}"));
            Assert.HasCount(1, found.Where(text => text == $"after {wiring} {async}"));
        }
    }

    private async Task FailOverAsync()
    {
        await Cluster.KillAsync(Cluster.PrimaryIndex, Cancellation);
        await Task.Delay(300, Cancellation);
        await Cluster.FailoverAsync(Cancellation);
    }

    private async Task SwitchOverAsync()
    {
        var old = Cluster.PrimaryIndex;
        await Cluster.StopAsync(old, cancellationToken: Cancellation);
        await Cluster.FailoverAsync(Cancellation);
        await Cluster.RejoinAsync(old, Cancellation);
    }

    private async Task AssertNothingIsNoticedAsync(IEnumerable<Wiring> wirings, int writers, Func<Task> trouble)
    {
        var run = Guid.NewGuid().ToString("N");
        var acknowledged = new ConcurrentQueue<string>();
        var errors = new ConcurrentQueue<string>();
        using var stop = new CancellationTokenSource();
        var writing = wirings
            .SelectMany(wiring => Enumerable.Range(0, writers).Select(writer => Task.Run(
                () => WriteAsync(wiring, writer, run, acknowledged, errors, stop.Token), Cancellation)))
            .ToArray();
        await ReachAsync(20 * writing.Length);

        await trouble();

        var back = acknowledged.Count;
        await ReachAsync(back + 20 * writing.Length);
        await stop.CancelAsync();
        await Task.WhenAll(writing);

        Assert.IsEmpty(errors, string.Join(Environment.NewLine, errors.Take(3)));
        CollectionAssert.AreEquivalent(acknowledged.ToArray(), await FoundAsync(run), "Acknowledged and found must be the same, each once.");

        Task ReachAsync(int count)
            => Poll.UntilAsync(
                () => acknowledged.Count >= count || !errors.IsEmpty,
                TimeSpan.FromSeconds(60),
                () => $"{acknowledged.Count} writes were acknowledged, not {count}",
                Cancellation);
    }

    private static async Task WriteAsync(
        Wiring wiring, int writer, string run, ConcurrentQueue<string> acknowledged, ConcurrentQueue<string> errors, CancellationToken stop)
    {
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            var marker = $"{run} {wiring} {writer} {i}";
            try
            {
                await wiring.WriteAsync(marker, async: writer % 2 == 0, CancellationToken.None);
                acknowledged.Enqueue(marker);
            }
            catch (Exception exception)
            {
                errors.Enqueue($"{marker}: {exception}");
                return;
            }
        }
    }

    private async Task<string[]> FoundAsync(string fragment)
    {
        await using var primary = await Cluster.AdminConnectionAsync(Cluster.PrimaryIndex, _database, Cancellation);
        await using var command = new NpgsqlCommand("select text from markers where position($1 in text) > 0", primary)
        {
            Parameters = { new NpgsqlParameter<string> { TypedValue = fragment } },
        };
        await using var reader = await command.ExecuteReaderAsync(Cancellation);
        var found = new List<string>();
        while (await reader.ReadAsync(Cancellation))
        {
            found.Add(reader.GetString(0));
        }

        return [.. found];
    }
}
