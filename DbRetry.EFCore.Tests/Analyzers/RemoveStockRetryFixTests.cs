using DbRetry.EFCore.Analyzers.Configuration;
using DbRetry.EFCore.CodeFixes;

namespace DbRetry.EFCore.Tests.Analyzers;

[TestClass]
public class RemoveStockRetryFixTests
{
    public required TestContext TestContext { get; set; }

    [TestMethod]
    [DataRow(
        "options.UseNpgsql(dsn, npgsql => npgsql.EnableRetryOnFailure()).UseDbRetry();",
        "options.UseNpgsql(dsn).UseDbRetry();")]
    [DataRow(
        "options.UseNpgsql(dsn, npgsql => { npgsql.EnableRetryOnFailure(3); }).UseDbRetry();",
        "options.UseNpgsql(dsn).UseDbRetry();")]
    [DataRow(
        "options.UseNpgsql(dsn, npgsql => npgsql.CommandTimeout(5).EnableRetryOnFailure()).UseDbRetry();",
        "options.UseNpgsql(dsn, npgsql => npgsql.CommandTimeout(5)).UseDbRetry();")]
    [DataRow(
        "options.UseNpgsql(dsn, npgsql => npgsql.EnableRetryOnFailure().CommandTimeout(5)).UseDbRetry();",
        "options.UseNpgsql(dsn, npgsql => npgsql.CommandTimeout(5)).UseDbRetry();")]
    [DataRow(
        "options.UseNpgsql(dsn, npgsql => { npgsql.CommandTimeout(5); npgsql.EnableRetryOnFailure(); }).UseDbRetry();",
        "options.UseNpgsql(dsn, npgsql => { npgsql.CommandTimeout(5); }).UseDbRetry();")]
    public async Task The_other_strategy_is_removed_with_what_it_leaves_empty(string before, string after)
        => Assert.AreEqual(
            Setup(after),
            await FixBed.FixAsync(new StockRetryAnalyzer(), new RemoveStockRetryFix(), Setup(before), TestContext.CancellationToken));

    private static string Setup(string statement)
        => $$"""
            public static class Setup
            {
                public static void Configure(DbContextOptionsBuilder options, string dsn)
                {
                    {{statement}}
                }
            }
            """;
}
