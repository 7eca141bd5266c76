using DbRetry.Demo.Shop;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Demo.Load;

/// <summary>Takes orders: one save each, of one row or of several.</summary>
internal sealed class OrderDesk(DbContextOptions<ShopContext> options)
{
    private static readonly string[] Articles = ["bread", "butter", "milk", "salt", "tea"];

    public async Task<string?> PlaceAsync(Guid requestId, CancellationToken cancellationToken)
    {
        await using var context = new ShopContext(options);
        context.Orders.Add(new Order
        {
            RequestId = requestId,
            Customer = $"customer {Random.Shared.Next(1_000)}",
            Lines = [.. Enumerable.Range(0, Random.Shared.Next(4)).Select(_ => new OrderLine
            {
                Article = Articles[Random.Shared.Next(Articles.Length)],
                Quantity = Random.Shared.Next(1, 10),
            })],
        });
        await context.SaveChangesAsync(cancellationToken);
        return context.ServedBy;
    }
}
