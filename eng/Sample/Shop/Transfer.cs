namespace DbRetry.Sample.Shop;

/// <summary>A transfer that was made; see <see cref="Order"/> about the request.</summary>
internal sealed class Transfer
{
    public long Id { get; init; }

    public required Guid RequestId { get; init; }

    public required int FromAccount { get; init; }

    public required int ToAccount { get; init; }

    public required long Amount { get; init; }
}
