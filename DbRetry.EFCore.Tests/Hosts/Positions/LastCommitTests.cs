using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Hosts.Positions;

/// <summary>When the primary is asked how far what a context wrote is, and when not.</summary>
[TestClass]
public sealed class LastCommitTests
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Each_question_is_asked_only_where_the_answer_is_needed(bool async)
    {
        await using var database = await DatabaseAsync();
        await using var bed = await HostProxies.CreateAsync(database: database.Name);
        await using var context = HostBed.Context($"{bed.ConnectionString};No Reset On Close=true", options =>
        {
            options.TargetSession = TargetSession.PreferStandby;
            options.ReadYourWrites = true;
        });
        using (context.Database.UseTargetSession(TargetSession.Primary))
        {
            await context.PortAsync(async, Cancellation);
        }

        for (var i = 0; i < 20; i++)
        {
            await context.PortAsync(async, Cancellation); // Both standbys are known then, and have a connection in their pool.
        }

        Assert.IsNull(context.Database.GetLastCommitPosition());
        bed.Arm();
        await context.PortAsync(async, Cancellation);
        Assert.HasCount(1, bed.Sql(), "Nothing was written.");

        await WriteAsync(context, async);
        await bed.Cluster.WaitForReplayAsync(Cancellation);
        bed.Arm();
        await context.PortAsync(async, Cancellation);
        Assert.AreEqual(1, Asked("wal_block_size"), "The primary is asked once.");
        Assert.IsGreaterThan(0, Asked("min_recovery_end_timeline"), "The standby is asked, too.");

        bed.Arm();
        await context.PortAsync(async, Cancellation);
        Assert.AreEqual(0, Asked("wal_block_size"));
        Assert.HasCount(Asked("min_recovery_end_timeline") + 1, bed.Sql(), string.Join('|', bed.Sql()));

        int Asked(string what) => bed.Sql().Count(sql => sql.Contains(what, StringComparison.Ordinal));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task The_position_is_asked_for_once_and_not_before_the_commit(bool async)
    {
        await using var database = await DatabaseAsync();
        await using var context = HostBed.Context(database.ConnectionString);
        Task<CommitPosition?> AskAsync() => async ? context.Database.GetLastCommitPositionAsync(Cancellation) : Twin.Caught(context.Database.GetLastCommitPosition);

        Assert.IsNull(await AskAsync());
        await context.Items.CountAsync(async);
        Assert.IsNull(await AskAsync(), "A read is no write.");
        await using (var transaction = await context.BeginAsync(async))
        {
            await WriteAsync(context, async);
            var error = await Assert.ThrowsExactlyAsync<InvalidOperationException>(AskAsync);
            Assert.Contains("Ask for the position after its commit", error.Message);
            await transaction.CommitAsync(async);
        }

        var position = await AskAsync();
        Assert.IsNotNull(position);
        await using (var other = HostBed.Context(database.ConnectionString))
        {
            await WriteAsync(other, async);
        }

        Assert.AreEqual(position, await AskAsync(), "It is about what this context wrote.");
        await WriteAsync(context, async);
        Assert.AreNotEqual(position, await AskAsync());
    }

    private async Task<TestDatabase> DatabaseAsync()
    {
        var cluster = await SharedCluster.TripleAsync();
        var database = await TestDatabase.CreateAsync(cluster, Cancellation);
        await database.ExecuteAsync(CounterContext.Schema, Cancellation);
        await cluster.WaitForReplayAsync(Cancellation);
        return database;
    }

    private async Task WriteAsync(CounterContext context, bool async)
    {
        context.Items.Add(new CounterContext.Item { Name = $"{Guid.NewGuid()}" });
        Assert.AreEqual(1, await context.SaveAsync(async, Cancellation));
    }
}
