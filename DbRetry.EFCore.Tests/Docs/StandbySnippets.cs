using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Docs;

[TestClass]
public sealed class StandbySnippets
{
    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [TestMethod]
    public async Task A_stretch_of_work_and_a_single_query_read_from_standbys()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        await using var context = shop.Context();
        var today = DateOnly.FromDateTime(DateTime.UtcNow);
        context.Orders.Add(new() { RequestId = Guid.NewGuid(), Total = 4, Day = today });
        await context.SaveChangesAsync(Cancellation);
        List<ShopContext.Order> report;

        // snippet: target session
        using (context.Database.UseTargetSession(TargetSession.PreferStandby))
        {
            report = await context.Orders.Where(o => o.Day == today).ToListAsync();
        }

        var total = await context.Orders.WithTargetSession(TargetSession.PreferStandby).SumAsync(o => o.Total);
        // end snippet

        Assert.HasCount(1, report);
        Assert.AreEqual(4L, total);
    }

    [TestMethod]
    public async Task A_position_travels_to_the_next_request()
    {
        await using var shop = await ShopBed.CreateAsync(Cancellation);
        await using var context = shop.Context();
        context.Orders.Add(new() { RequestId = Guid.NewGuid(), Total = 4 });
        await NextRequestAsync();
        Assert.AreEqual(1L, await shop.OrdersAsync());

        async Task NextRequestAsync()
        {
            // snippet: read your writes
            await context.SaveChangesAsync();
            var token = $"{await context.Database.GetLastCommitPositionAsync()}";

            // The next request, wherever it is served:
            using var scope = context.Database.UseTargetSession(TargetSession.PreferStandby, CommitPosition.Parse(token));
            // end snippet

            Assert.AreEqual(1L, await context.Orders.LongCountAsync(Cancellation));
        }
    }
}
