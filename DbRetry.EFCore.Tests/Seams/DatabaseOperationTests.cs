using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbRetry.EFCore.Tests.Seams;

/// <summary>Existence checks, creation, deletion and migrations, which EF runs partly outside of any strategy.</summary>
[TestClass]
public sealed class DatabaseOperationTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    // Where the database is there already, the steps are a part of those that create it.
    public static IEnumerable<object[]> Sweeps() => Operations().Where(operation => !((string)operation[0]).EndsWith("empty database", StringComparison.Ordinal));

    public static IEnumerable<object[]> Operations()
        => DatabaseOperation.All.SelectMany(operation => new[] { new object[] { operation.Name, true }, [operation.Name, false] });

    [TestMethod]
    [DynamicData(nameof(Sweeps))]
    public async Task A_reset_at_any_message_changes_neither_what_is_done_nor_what_is_returned(string name, bool async)
    {
        var operation = DatabaseOperation.All.Single(candidate => candidate.Name == name);
        await using var bed = await DatabaseBed.CreateAsync();

        // The first connection of a pool loads types. The second run is what all later ones are like.
        for (var run = 0; run < 2; run++)
        {
            await bed.PrepareAsync(operation.Prepare, Cancellation);
            bed.Proxy.Arm();
            Assert.AreEqual(operation.Expected, await RunAsync(bed, operation, async), "Without a fault it must work.");
        }

        var points = Points([.. bed.Proxy.Messages.Where(Counts)], odd: async);
        Assert.IsTrue(await bed.HoldsAsync(operation.Proof, Cancellation), "Without a fault it must work.");
        foreach (var (expected, ordinal, moment) in points)
        {
            var message = expected;
            var seen = 0;
            await bed.PrepareAsync(operation.Prepare, Cancellation);
            bed.Proxy.Arm(new FaultPoint(candidate => Counts(candidate) && ++seen == ordinal, moment, FaultAction.Reset));

            var result = await RunAsync(bed, operation, async);

            Assert.AreEqual(1, bed.Proxy.FaultsFired, $"{moment} {message}");
            message = await bed.Proxy.FirstFault;
            bed.Proxy.Arm();
            Assert.AreEqual(operation.Expected, result, $"{moment} {message}");
            Assert.IsTrue(await bed.HoldsAsync(operation.Proof, Cancellation), $"{moment} {message}");
        }

        TestContext.WriteLine($"{points.Count} resets");
    }

    [TestMethod]
    [DynamicData(nameof(Operations))]
    public async Task A_URI_serves_as_well_as_a_connection_string(string name, bool async)
    {
        var operation = DatabaseOperation.All.Single(candidate => candidate.Name == name);
        await using var bed = await DatabaseBed.CreateAsync();
        foreach (var dataSource in new[] { false, true })
        {
            await bed.PrepareAsync(operation.Prepare, Cancellation);
            await using (var context = bed.Context($"{bed.Uri}?target_session_attrs=read-write", dataSource: dataSource))
            {
                Assert.AreEqual(operation.Expected, await operation.Run(context, async));
            }

            Assert.IsTrue(await bed.HoldsAsync(operation.Proof, Cancellation));
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_database_that_does_not_exist_is_told_at_once(bool async)
    {
        await using var bed = await DatabaseBed.CreateAsync();
        await using var context = bed.Context();
        Assert.IsFalse(async ? await context.Database.CanConnectAsync(Cancellation) : context.Database.CanConnect());
        Assert.AreEqual(1, bed.Proxy.ConnectionCount);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_server_that_is_not_there_cannot_be_connected_to(bool async)
    {
        await using var bed = await DatabaseBed.CreateAsync();
        bed.Proxy.RefuseConnections();
        await using var context = bed.Context(configure: options => options.FailoverTimeout = TimeSpan.FromMilliseconds(100));
        Assert.IsFalse(async ? await context.Database.CanConnectAsync(Cancellation) : context.Database.CanConnect());
    }

    [TestMethod]
    public async Task A_caller_who_cancels_the_question_for_a_database_is_heard()
    {
        await using var bed = await DatabaseBed.CreateAsync();
        bed.Proxy.RefuseConnections();
        await using var context = bed.Context();
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        source.CancelAfter(TimeSpan.FromMilliseconds(50));
        await Assert.ThrowsAsync<OperationCanceledException>(() => context.Database.CanConnectAsync(source.Token));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_database_that_somebody_else_created_is_an_error_of_the_first_attempt(bool async)
    {
        await using var bed = await DatabaseBed.CreateAsync();
        await bed.PrepareAsync(string.Empty, Cancellation);
        await using var context = bed.Context();
        var creator = context.GetService<IRelationalDatabaseCreator>();
        var error = await Assert.ThrowsExactlyAsync<PostgresException>(async () =>
        {
            if (async)
            {
                await creator.CreateAsync(Cancellation);
            }
            else
            {
                creator.Create();
            }
        });
        Assert.AreEqual(PostgresErrorCodes.DuplicateDatabase, error.SqlState);
    }

    [TestMethod]
    public async Task A_migration_can_be_written_as_a_script_as_before()
    {
        await using var bed = await DatabaseBed.CreateAsync();
        await using var context = bed.Context();
        var migrator = context.GetService<IMigrator>();
        Assert.Contains("opening balance", migrator.GenerateScript());
        Assert.IsTrue(migrator.HasPendingModelChanges(), "The migrations have no snapshot.");
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Without_DbRetry_a_context_with_its_services_migrates_and_creates_as_before(bool async)
    {
        // Both share one internal provider, which has DbRetry's services.
        await using var bed = await DatabaseBed.CreateAsync();
        foreach (var operation in DatabaseOperation.All)
        {
            await bed.PrepareAsync(operation.Prepare, Cancellation);
            await using var context = bed.Stock();
            Assert.AreEqual(operation.Expected, await operation.Run(context, async), operation.Name);
            Assert.IsTrue(await bed.HoldsAsync(operation.Proof, Cancellation), operation.Name);
        }
    }

    // Each step of a connection, and each statement before and after the server ran it; every other point in one half, the rest in the other.
    private static List<(ProxiedMessage Message, int Ordinal, FaultMoment Moment)> Points(IReadOnlyList<ProxiedMessage> messages, bool odd)
    {
        var points = new List<(ProxiedMessage, int, FaultMoment)>();
        foreach (var (i, message) in messages.Index())
        {
            if (message.Type is 'Q' or 'P' or 'p' or UntypedMessages.Startup or UntypedMessages.SslRequest or UntypedMessages.GssEncryptionRequest)
            {
                points.Add((message, i + 1, FaultMoment.BeforeForward));
            }

            if (message.Type is 'Q' or 'S')
            {
                points.Add((message, i + 1, FaultMoment.AfterProcessed));
            }
        }

        return [.. points.Where((_, i) => i % 2 == 1 == odd)];
    }

    // A goodbye races with the first message of the next connection.
    private static bool Counts(ProxiedMessage message) => message is { Sender: Sender.Frontend, Type: not 'X' };

    private static async Task<string> RunAsync(DatabaseBed bed, DatabaseOperation operation, bool async)
    {
        await using var context = bed.Context();
        try
        {
            return await operation.Run(context, async);
        }
        catch (Exception exception)
        {
            return exception.ToString();
        }
    }
}
