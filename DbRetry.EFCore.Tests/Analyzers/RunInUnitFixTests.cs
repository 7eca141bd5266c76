using DbRetry.EFCore.Analyzers.Transactions;
using DbRetry.EFCore.CodeFixes;

namespace DbRetry.EFCore.Tests.Analyzers;

[TestClass]
public class RunInUnitFixTests
{
    public required TestContext TestContext { get; set; }

    [TestMethod]
    public async Task A_transaction_becomes_a_unit()
        => Assert.AreEqual(
            Method(
                """
                        order.Total = 1;

                        // Both or none.
                        await context.Database.ExecuteInTransactionScopeAsync(async () =>
                        {
                            context.Add(order); // the first
                            await context.SaveChangesAsync(cancellation);
                        }, IsolationLevel.Serializable, cancellationToken: cancellation);
                        order.Total = 2;
                """),
            await FixAsync(
                """
                        order.Total = 1;

                        // Both or none.
                        await using var transaction = await context.Database.BeginTransactionAsync(IsolationLevel.Serializable, cancellation);
                        context.Add(order); // the first
                        await context.SaveChangesAsync(cancellation);
                        await transaction.CommitAsync(cancellation);
                        order.Total = 2;
                """));

    [TestMethod]
    public async Task What_is_used_behind_it_is_returned_from_it()
        => Assert.AreEqual(
            Method(
                """
                        var first = context.Database.ExecuteInTransactionScope(() =>
                        {
                            var first = context.Orders.First();
                            context.Remove(first);
                            context.SaveChanges();
                            return first;
                        });
                        first.Total = 0;
                """),
            await FixAsync(
                """
                        using var transaction = context.Database.BeginTransaction();
                        var first = context.Orders.First();
                        context.Remove(first);
                        context.SaveChanges();
                        transaction.Commit();
                        first.Total = 0;
                """));

    [TestMethod]
    public async Task A_using_statement_becomes_a_unit_as_well()
        => Assert.AreEqual(
            Method(
                """
                        await context.Database.ExecuteInTransactionScopeAsync(async () =>
                        {
                            await context.SaveChangesAsync();
                        }).ConfigureAwait(false);
                        order.Total = 0;
                """),
            await FixAsync(
                """
                        await using (var transaction = await context.Database.BeginTransactionAsync().ConfigureAwait(false))
                        {
                            await context.SaveChangesAsync();
                            await transaction.CommitAsync();
                        }
                        order.Total = 0;
                """));

    [TestMethod]
    [DataRow("using var transaction = context.Database.BeginTransaction(); context.SaveChanges();", DisplayName = "not committed")]
    [DataRow("using var transaction = context.Database.BeginTransaction(); transaction.Commit();", DisplayName = "empty")]
    [DataRow("using var transaction = context.Database.BeginTransaction(); context.SaveChanges(); if (order.Total > 0) { transaction.Commit(); }", DisplayName = "committed perhaps")]
    [DataRow("using var transaction = context.Database.BeginTransaction(); transaction.CreateSavepoint(\"a\"); context.SaveChanges(); transaction.Commit();", DisplayName = "used otherwise")]
    [DataRow("using var transaction = context.Database.BeginTransaction(); if (orders.Count == 0) { return; } context.SaveChanges(); transaction.Commit();", DisplayName = "left early")]
    [DataRow("using var transaction = context.Database.BeginTransaction(); var a = 1; var b = 2; context.SaveChanges(); transaction.Commit(); a += b;", DisplayName = "two results")]
    [DataRow("int saved; using var transaction = context.Database.BeginTransaction(); saved = context.SaveChanges(); transaction.Commit(); order.Total = saved;", DisplayName = "a variable of the surroundings")]
    [DataRow("using var transaction = context.Database.BeginTransaction(); await context.SaveChangesAsync(); transaction.Commit();", DisplayName = "begun synchronously, used asynchronously")]
    [DataRow("var transaction = context.Database.BeginTransaction(); context.SaveChanges(); transaction.Commit();", DisplayName = "not disposed")]
    [DataRow("foreach (var o in orders) { using var transaction = context.Database.BeginTransaction(); if (o.Total == 0) continue; context.SaveChanges(); transaction.Commit(); }", DisplayName = "continues a loop")]
    [DataRow("Span<int> span = [1]; using var transaction = context.Database.BeginTransaction(); span[0]++; context.SaveChanges(); transaction.Commit();", DisplayName = "a span cannot be captured")]
    public async Task Nothing_is_offered_where_it_would_not_be_mechanical(string statements) => Assert.IsNull(await FixAsync(statements));

    private static string Method(string statements)
        => $$"""
            public class Shop(ShopContext context)
            {
                public async Task RunAsync(Order order, List<Order> orders, CancellationToken cancellation)
                {
            {{statements}}
                }
            }
            """;

    private Task<string?> FixAsync(string statements)
        => FixBed.FixAsync(new BeginTransactionAnalyzer(), new RunInUnitFix(), Method(statements), TestContext.CancellationToken);
}
