namespace DbRetry.Sample.Shop;

internal sealed class Account
{
    public required int Id { get; init; }

    public required long Balance { get; set; }
}
