namespace DbRetry.Sample.Shop;

internal sealed class OrderLine
{
    public long Id { get; init; }

    public long OrderId { get; init; }

    public required string Article { get; init; }

    public required int Quantity { get; init; }
}
