using DbRetry.Demo.Shop;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Demo.Load;

/// <summary>The callers. Each makes one request after the other, with a fresh context each time, as a web application would.</summary>
internal sealed class Workload(DbContextOptions<ShopContext> options)
{
    private const int OrderCallers = 8;
    private const int TransferCallers = 4;

    /// <summary>How long callers who are waiting are still listened to after the last request was made.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>A caller who was told an error takes a breath, too: the number of errors is that of requests not served.</summary>
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(5);

    private readonly OrderDesk _orders = new(options);
    private readonly TransferDesk _transfers = new(options);

    /// <summary>One request of each kind that does not count: building the model and compiling the code is no trouble of the cluster's.</summary>
    public async Task WarmUpAsync(CancellationToken cancellationToken)
    {
        await _orders.PlaceAsync(Guid.NewGuid(), cancellationToken);
        await _transfers.MakeAsync(Guid.NewGuid(), cancellationToken);
    }

    /// <param name="ledger">Where every request is written down.</param>
    /// <param name="closing">No new requests from then on.</param>
    /// <param name="cancellationToken">Gives up those in flight, too.</param>
    public async Task RunAsync(Ledger ledger, CancellationToken closing, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var closed = closing.Register(() => patience.CancelAfter(Patience));
        await Task.WhenAll(
        [
            .. Enumerable.Range(0, OrderCallers).Select(_ => CallAsync(RequestKind.Order, _orders.PlaceAsync)),
            .. Enumerable.Range(0, TransferCallers).Select(_ => CallAsync(RequestKind.Transfer, _transfers.MakeAsync)),
        ]);

        Task CallAsync(RequestKind kind, Func<Guid, CancellationToken, Task<string?>> operation) => Task.Run(
            async () =>
            {
                while (!closing.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
                {
                    await ledger.RecordAsync(kind, operation, patience.Token);
                    await Task.Delay(Breath, CancellationToken.None);
                }
            },
            CancellationToken.None);
    }
}
