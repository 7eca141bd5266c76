using System.Data;
using DbRetry.Demo.Shop;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Demo.Load;

/// <summary>Moves money between a few accounts that everybody wants, in SERIALIZABLE transactions.</summary>
internal sealed class TransferDesk(DbContextOptions<ShopContext> options)
{
    public async Task<string?> MakeAsync(Guid requestId, CancellationToken cancellationToken)
    {
        var from = Random.Shared.Next(ShopDatabase.Accounts);
        var to = (from + Random.Shared.Next(1, ShopDatabase.Accounts)) % ShopDatabase.Accounts;
        var amount = Random.Shared.Next(1, 100);

        await using var context = new ShopContext(options);
        await context.Database.CreateExecutionStrategy().ExecuteAsync(
            async token =>
            {
                context.ChangeTracker.Clear();
                await using var transaction = await context.Database.BeginTransactionAsync(IsolationLevel.Serializable, token);
                await MoveAsync(context, new() { RequestId = requestId, FromAccount = from + 1, ToAccount = to + 1, Amount = amount }, token);
                await transaction.CommitAsync(token);
            },
            cancellationToken);
        return context.ServedBy;
    }

    private static async Task MoveAsync(ShopContext context, Transfer transfer, CancellationToken cancellationToken)
    {
        var from = await context.Accounts.SingleAsync(account => account.Id == transfer.FromAccount, cancellationToken);
        var to = await context.Accounts.SingleAsync(account => account.Id == transfer.ToAccount, cancellationToken);
        from.Balance -= transfer.Amount;
        to.Balance += transfer.Amount;
        context.Transfers.Add(transfer);
        await context.SaveChangesAsync(cancellationToken);
    }
}
