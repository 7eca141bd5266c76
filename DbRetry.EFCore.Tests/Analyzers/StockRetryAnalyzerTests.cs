using DbRetry.EFCore.Analyzers.Configuration;

namespace DbRetry.EFCore.Tests.Analyzers;

[TestClass]
public class StockRetryAnalyzerTests
{
    public required TestContext TestContext { get; set; }

    [TestMethod]
    [DataRow("options.UseNpgsql(dsn, npgsql => npgsql.⟦EnableRetryOnFailure⟧()).UseDbRetry();")]
    [DataRow("options.UseDbRetry().UseNpgsql(dsn, npgsql => npgsql.⟦EnableRetryOnFailure⟧(5));")]
    [DataRow("options.UseNpgsql(dsn, npgsql => npgsql.CommandTimeout(5).⟦EnableRetryOnFailure⟧().UseRelationalNulls()).EnableDetailedErrors().UseDbRetry();")]
    [DataRow("options.UseNpgsql(dsn, npgsql => { npgsql.CommandTimeout(5); npgsql.⟦EnableRetryOnFailure⟧(); }); options.UseDbRetry(o => o.MaxRetryCount = 1);")]
    [DataRow("options.UseNpgsql(dsn, npgsql => npgsql.⟦ExecutionStrategy⟧(d => new NonRetryingExecutionStrategy(d.CurrentContext.Context))).UseDbRetry();")]
    [DataRow("options.UseNpgsql(dsn, npgsql => npgsql.⟦EnableRetryOnFailure⟧()); if (dsn != \"\") { options.UseDbRetry(); }")]
    [DataRow("_ = dsn != \"\" ? options.UseNpgsql(dsn, npgsql => npgsql.⟦EnableRetryOnFailure⟧()) : options; options.UseDbRetry();")]
    [DataRow("if (dsn != \"\") options.UseNpgsql(dsn, npgsql => npgsql.⟦EnableRetryOnFailure⟧()); options.UseDbRetry();")]
    [DataRow("var mine = new DbContextOptionsBuilder<ShopContext>(); mine.UseNpgsql(dsn, npgsql => npgsql.⟦EnableRetryOnFailure⟧()); mine.UseDbRetry();")]
    [DataRow("var made = new DbContextOptionsBuilder<ShopContext>().UseNpgsql(dsn, npgsql => npgsql.⟦EnableRetryOnFailure⟧()).UseDbRetry().Options;")]
    [DataRow("Action<DbContextOptionsBuilder> add = o => o.UseNpgsql(dsn, npgsql => npgsql.⟦EnableRetryOnFailure⟧()).UseDbRetry();")]
    public Task Two_strategies_of_one_context_are_reported(string statements) => VerifyAsync(statements);

    [TestMethod]
    [DataRow("options.UseNpgsql(dsn, npgsql => npgsql.CommandTimeout(5)).UseDbRetry();")]
    [DataRow("options.UseNpgsql(dsn, npgsql => npgsql.EnableRetryOnFailure());")]
    [DataRow("if (dsn != \"\") { options.UseNpgsql(dsn).UseDbRetry(); } else { options.UseNpgsql(dsn, npgsql => npgsql.EnableRetryOnFailure()); }")]
    [DataRow("if (dsn != \"\") options.UseDbRetry(); else options.UseNpgsql(dsn, npgsql => npgsql.EnableRetryOnFailure());")]
    [DataRow("_ = dsn != \"\" ? options.UseNpgsql(dsn).UseDbRetry() : options.UseNpgsql(dsn, npgsql => npgsql.EnableRetryOnFailure());")]
    [DataRow("_ = dsn switch { \"\" => options.UseNpgsql(dsn, npgsql => npgsql.EnableRetryOnFailure()), _ => options.UseNpgsql(dsn).UseDbRetry() };")]
    [DataRow("switch (dsn) { case \"\": options.UseDbRetry(); break; default: options.UseNpgsql(dsn, npgsql => npgsql.EnableRetryOnFailure()); break; }")]
    [DataRow("var stock = new DbContextOptionsBuilder<ShopContext>(); stock.UseNpgsql(dsn, npgsql => npgsql.EnableRetryOnFailure()); options.UseNpgsql(dsn).UseDbRetry();")]
    [DataRow("var made = new[] { new DbContextOptionsBuilder().UseNpgsql(dsn, npgsql => npgsql.EnableRetryOnFailure()), new DbContextOptionsBuilder().UseNpgsql(dsn).UseDbRetry() };")]
    public Task Strategies_of_different_contexts_are_not(string statements) => VerifyAsync(statements);

    private Task VerifyAsync(string statements)
        => AnalyzerBed.VerifyAsync(
            new StockRetryAnalyzer(),
            $$"""
            public static class Setup
            {
                public static void Configure(DbContextOptionsBuilder options, string dsn)
                {
                    {{statements}}
                }
            }
            """,
            TestContext.CancellationToken);
}
