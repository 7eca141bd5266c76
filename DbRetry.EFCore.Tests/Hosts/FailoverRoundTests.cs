using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Failover;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>One round each of scenarios that <c>eng/failover</c> measures, with the defaults of everything.</summary>
[TestClass]
public sealed class FailoverRoundTests
{
    private const int Writers = 8;

    public required TestContext TestContext { get; set; }

    [TestMethod]
    [DataRow("split-brain")]
    [DataRow("restart")]
    [DataRow("frozen")]
    public async Task Eight_writers_see_no_error_and_everything_is_applied_once(string name)
    {
        SharedCluster.RequireLocal();
        var scenario = LocalScenarios.All.Single(scenario => scenario.Name == name);
        await using var bed = await LocalBed.StartAsync(scenario, TestContext.CancellationToken);

        var result = await new Round(bed, Build, Writers, readers: 0).RunAsync(TestContext.CancellationToken);

        Assert.IsEmpty(result.Failed, string.Join(Environment.NewLine, result.Failed.Take(3).Select(call => call.Error)));
        Assert.AreEqual((0, 0, 0), (result.Lost.Count, result.Duplicated, result.CutOff), "Lost, duplicated, still waiting in the end.");
        foreach (var outage in result.Outages)
        {
            var first = result.FirstWrites(outage).ToArray();
            Assert.HasCount(Writers, first);
            Assert.IsTrue(first.All(writer => writer.After is not null), "Every writer is served by the new primary.");
        }
    }

    private static DbContextOptions<ProofContext> Build(string connectionString, bool reading, PrimaryWord primary)
        => new DbContextOptionsBuilder<ProofContext>().UseNpgsql(connectionString).UseDbRetry().Options;
}
