using System.Text;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support.Faults;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Commits;

/// <summary>What each way to establish outcomes costs: how often the client waits for the server, counted on the wire.</summary>
[TestClass]
public sealed class RoundTripTests
{
    public required TestContext TestContext { get; set; }

    [TestMethod]
    [DataRow("query", 1, 1, 1, 1, 1)]
    [DataRow("save 1 row", 1, 2, 2, 2, 2)]
    [DataRow("save 3 rows", 2, 2, 2, 2, 2)]
    [DataRow("save 3 batches", 4, 4, 4, 4, 4)]
    [DataRow("ExecuteUpdate n = n + 1", 1, 1, 1, 2, 2)]
    [DataRow("ExecuteSql n = n + 1", 1, 1, 1, 2, 2)]
    [DataRow("unit with two saves", 7, 3, 3, 3, 3)]
    public async Task An_operation_takes_as_many_round_trips_as_the_README_says(
        string name, int stock, int none, int surface, int witness, int transactionStatus)
    {
        await using var bed = await RetryBed.CreateAsync(TestContext.CancellationToken);
        var operation = SweepOperation.All.Single(candidate => candidate.Name == name);
        var connectionString = bed.Proxy.Through(bed.Database.ConnectionString);
        var expected = new[] { stock, none, surface, witness, transactionStatus };

        var traffic = new StringBuilder();
        var actual = new[]
        {
            await CountAsync(builder => builder.UseNpgsql(connectionString, Batches).UseNpgsql(npgsql => npgsql.EnableRetryOnFailure())),
            await CountAsync(With(CommitVerification.None)),
            await CountAsync(With(CommitVerification.Surface)),
            await CountAsync(With(CommitVerification.Witness)),
            await CountAsync(With(CommitVerification.TransactionStatus)),
        };

        Assert.AreEqual(string.Join(", ", expected), string.Join(", ", actual), $"stock, None, Surface, Witness, TransactionStatus\n{traffic}");

        Action<DbContextOptionsBuilder<CounterContext>> With(CommitVerification verification)
            => builder => builder.UseNpgsql(connectionString, Batches).UseDbRetry(options => options.CommitVerification = verification);

        async Task<int> CountAsync(Action<DbContextOptionsBuilder<CounterContext>> configure)
        {
            var builder = new DbContextOptionsBuilder<CounterContext>();
            configure(builder);

            // What is done once is done by the first run. A busy machine can only add to the others (a new connection, a retry): the least of them counts.
            var turns = new List<int>();
            for (var run = 0; run < 4; run++)
            {
                await bed.ClearAsync();
                bed.Proxy.Arm();
                await using var context = new CounterContext(builder.Options);
                await operation.Run(context, true);
                turns.Add(RoundTrips.Count(bed.Proxy.Messages));
            }

            traffic.AppendJoin('\n', bed.Proxy.Messages).AppendLine().AppendLine();
            return turns.Skip(1).Min();
        }
    }

    private static void Batches(Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.NpgsqlDbContextOptionsBuilder npgsql)
        => npgsql.MaxBatchSize(SweepOperation.BatchSize);
}
