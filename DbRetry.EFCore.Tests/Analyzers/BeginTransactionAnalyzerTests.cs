using DbRetry.EFCore.Analyzers.Transactions;

namespace DbRetry.EFCore.Tests.Analyzers;

[TestClass]
public class BeginTransactionAnalyzerTests
{
    public required TestContext TestContext { get; set; }

    [TestMethod]
    [DataRow("using var transaction = context.Database.⟦BeginTransaction⟧(); context.SaveChanges(); transaction.Commit();")]
    [DataRow("using var transaction = context.Database.⟦BeginTransaction⟧(IsolationLevel.Serializable);")]
    [DataRow("await using var transaction = await context.Database.⟦BeginTransactionAsync⟧(cancellation);")]
    [DataRow("await using var transaction = await context.Database.⟦BeginTransactionAsync⟧(IsolationLevel.Serializable, cancellation);")]
    [DataRow("orders.ForEach(_ => context.Database.⟦BeginTransaction⟧());")]
    [DataRow("context.Database.CreateExecutionStrategy().ExecuteInTransaction(() => { }, () => context.Database.⟦BeginTransaction⟧() is null);")]
    [DataRow("Begin(); void Begin() => context.Database.⟦BeginTransaction⟧();")]
    public Task A_transaction_that_nothing_replays_is_reported(string statements) => VerifyAsync(Snippet.Method(statements));

    [TestMethod]
    [DataRow("context.Database.CreateExecutionStrategy().Execute(() => { using var transaction = context.Database.BeginTransaction(); transaction.Commit(); });")]
    [DataRow("await context.Database.CreateExecutionStrategy().ExecuteAsync(async () => { await using var transaction = await context.Database.BeginTransactionAsync(); });")]
    [DataRow("await context.Database.CreateExecutionStrategy().ExecuteAsync(WorkAsync); async Task WorkAsync() { await using var transaction = await context.Database.BeginTransactionAsync(); }")]
    [DataRow("context.Database.CreateExecutionStrategy().Execute(() => orders.ForEach(_ => context.Database.BeginTransaction()));")]
    [DataRow("using var scope = context.Database.BeginTransactionScope();")]
    [DataRow("using var connection = new Npgsql.NpgsqlConnection(); using var transaction = connection.BeginTransaction();")]
    public Task A_transaction_in_a_unit_is_not(string statements) => VerifyAsync(Snippet.Method(statements));

    [TestMethod]
    public Task A_method_of_the_same_file_that_is_passed_as_a_unit_is_one()
        => VerifyAsync(
            """
            public class Shop(ShopContext context)
            {
                public Task RunAsync() => context.Database.CreateExecutionStrategy().ExecuteAsync(this.PayAsync);

                private async Task PayAsync()
                {
                    await using var transaction = await context.Database.BeginTransactionAsync();
                }

                private async Task AskAsync()
                {
                    await using var transaction = await context.Database.⟦BeginTransactionAsync⟧();
                }
            }
            """);

    [TestMethod]
    public Task A_method_that_hands_the_transaction_on_does_not_know_what_runs_in_it()
        => VerifyAsync(
            """
            public class Transactions(ShopContext context)
            {
                private Microsoft.EntityFrameworkCore.Storage.IDbContextTransaction _current;

                public Microsoft.EntityFrameworkCore.Storage.IDbContextTransaction Begin() => context.Database.BeginTransaction();

                public async Task BeginAsync(bool serializable) => _current ??= serializable
                    ? await context.Database.BeginTransactionAsync(IsolationLevel.Serializable)
                    : await context.Database.BeginTransactionAsync();

                public async Task<Microsoft.EntityFrameworkCore.Storage.IDbContextTransaction> KeepAsync()
                {
                    _current = await context.Database.BeginTransactionAsync().ConfigureAwait(false);
                    return _current;
                }

                public bool Peek() => context.Database.⟦BeginTransaction⟧() is null;
            }
            """);

    private Task VerifyAsync(string marked) => AnalyzerBed.VerifyAsync(new BeginTransactionAnalyzer(), marked, TestContext.CancellationToken);
}
