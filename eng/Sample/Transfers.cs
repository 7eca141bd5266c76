using System.Data;
using DbRetry.Sample.Shop;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Sample;

/// <summary>Moves money, in SERIALIZABLE units that run again after a conflict or a lost connection.</summary>
internal static class Transfers
{
    public static void MapTransfers(this IEndpointRouteBuilder app)
    {
        app.MapPost("/transfers", MakeAsync);
        app.MapGet("/accounts", ListAsync);
    }

    private static async Task<IResult> MakeAsync(MakeTransfer request, ShopContext context, CancellationToken cancellationToken)
    {
        await context.Database.ExecuteInTransactionScopeAsync(
            async token =>
            {
                var from = await context.Accounts.SingleAsync(account => account.Id == request.From, token);
                var to = await context.Accounts.SingleAsync(account => account.Id == request.To, token);
                from.Balance -= request.Amount;
                to.Balance += request.Amount;
                context.Transfers.Add(request.ToTransfer());
                await context.SaveChangesAsync(token);
            },
            IsolationLevel.Serializable,
            cancellationToken);
        return Results.NoContent();
    }

    private static Task<List<Account>> ListAsync(ShopContext context, CancellationToken cancellationToken)
        => context.Accounts.AsNoTracking().OrderBy(account => account.Id).ToListAsync(cancellationToken);

    internal sealed record MakeTransfer(Guid RequestId, int From, int To, long Amount)
    {
        internal Transfer ToTransfer() => new() { RequestId = RequestId, FromAccount = From, ToAccount = To, Amount = Amount };
    }
}
