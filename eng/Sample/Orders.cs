using DbRetry.Sample.Shop;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Sample;

/// <summary>Takes orders: one save each. There is nothing to write for retries.</summary>
internal static class Orders
{
    public static void MapOrders(this IEndpointRouteBuilder app)
    {
        app.MapPost("/orders", PlaceAsync);
        app.MapGet("/orders/{id:long}", FindAsync);
    }

    private static async Task<IResult> PlaceAsync(PlaceOrder request, ShopContext context, CancellationToken cancellationToken)
    {
        var order = new Order
        {
            RequestId = request.RequestId,
            Customer = request.Customer,
            Lines = [.. request.Lines.Select(line => new OrderLine { Article = line.Article, Quantity = line.Quantity })],
        };
        context.Orders.Add(order);
        await context.SaveChangesAsync(cancellationToken);
        return Results.Created($"/orders/{order.Id}", order);
    }

    private static async Task<IResult> FindAsync(long id, ShopContext context, CancellationToken cancellationToken)
        => await context.Orders.AsNoTracking().Include(order => order.Lines).SingleOrDefaultAsync(order => order.Id == id, cancellationToken) is { } order
            ? Results.Ok(order)
            : Results.NotFound();

    internal sealed record PlaceOrder(Guid RequestId, string Customer, IReadOnlyList<PlaceOrder.Line> Lines)
    {
        internal sealed record Line(string Article, int Quantity);
    }
}
