using DbRetry.EFCore.Analyzers.Units;

namespace DbRetry.EFCore.Tests.Analyzers;

[TestClass]
public class KeyAnalyzerTests
{
    public required TestContext TestContext { get; set; }

    [TestMethod]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { context.Add(new Order { Id = ⟦Guid.NewGuid()⟧ }); });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { order.Id = ⟦Guid.CreateVersion7()⟧; });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { var key = ⟦Guid.NewGuid()⟧.ToString(\"N\"); });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { var requestId = $\"shop-{⟦DateTime.UtcNow⟧.Ticks}\"; });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { var orderKey = \"a\" + ⟦Environment.TickCount64⟧; });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { http.DefaultRequestHeaders.Add(\"Idempotency-Key\", ⟦Guid.NewGuid()⟧.ToString()); });")]
    [DataRow("DbRetryPolicy.Execute(() => { new Npgsql.NpgsqlCommand().Parameters.AddWithValue(\"order_id\", ⟦Guid.NewGuid()⟧); }, idempotent: true);")]
    public Task A_key_that_an_attempt_makes_for_itself_is_reported(string statements) => VerifyAsync(statements);

    [TestMethod]
    [DataRow("var id = Guid.NewGuid(); context.Database.ExecuteInTransactionScope(() => { order.Id = id; });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { order.CreatedAt = DateTime.UtcNow; });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { var since = DateTime.UtcNow.AddDays(-1); return context.Orders.Where(o => o.CreatedAt > since).ToList(); });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { var name = Guid.NewGuid().ToString(); });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { var isKey = DateTime.UtcNow > order.CreatedAt; });")]
    public Task A_key_that_stays_and_a_time_that_is_no_key_are_not(string statements) => VerifyAsync(statements);

    private Task VerifyAsync(string statements) => AnalyzerBed.VerifyAsync(new KeyAnalyzer(), Snippet.Method(statements), TestContext.CancellationToken);
}
