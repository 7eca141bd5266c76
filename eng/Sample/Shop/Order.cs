namespace DbRetry.Sample.Shop;

/// <summary>An order. Nothing in the database keeps <see cref="RequestId"/> unique, so that a request carried out twice shows.</summary>
internal sealed class Order
{
    public long Id { get; init; }

    public required Guid RequestId { get; init; }

    public required string Customer { get; init; }

    public List<OrderLine> Lines { get; init; } = [];
}
