using DbRetry.EFCore.Analyzers.Units;

namespace DbRetry.EFCore.Tests.Analyzers;

[TestClass]
public class CapturedStateAnalyzerTests
{
    public required TestContext TestContext { get; set; }

    [TestMethod]
    [DataRow("var saved = 0; context.Database.ExecuteInTransactionScope(() => { context.SaveChanges(); ⟦saved++⟧; });")]
    [DataRow("var total = 0m; context.Database.ExecuteInTransactionScope(() => { foreach (var o in orders) { ⟦total += o.Total⟧; } });")]
    [DataRow("var total = 0m; context.Database.ExecuteInTransactionScope(() => orders.ForEach(o => ⟦total += o.Total⟧));")]
    [DataRow("var total = 0m; context.Database.ExecuteInTransactionScope(() => { ⟦total = total + order.Total⟧; });")]
    [DataRow("var text = \"\"; context.Database.ExecuteInTransactionScope(() => { ⟦text += order.Id⟧; });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { ⟦_count--⟧; });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { ⟦Sum += order.Total⟧; });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { Interlocked.⟦Increment⟧(ref _count); });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { orders.⟦Add⟧(order); });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { this._seen.⟦AddRange⟧(context.Orders); });")]
    [DataRow("ICollection<Order> found = []; context.Database.ExecuteInTransactionScope(() => { found.⟦Add⟧(context.Orders.First()); });")]
    [DataRow("var byId = new Dictionary<Guid, Order>(); context.Database.ExecuteInTransactionScope(() => byId.⟦Add⟧(order.Id, order));")]
    [DataRow("var report = new StringBuilder(); context.Database.ExecuteInTransactionScope(() => { report.⟦Append⟧(order.Id); });")]
    [DataRow("await context.Database.ExecuteInTransactionScopeAsync(async () => { while (queue.⟦TryDequeue⟧(out var next)) { context.Add(next); } await context.SaveChangesAsync(); });")]
    [DataRow("var bag = new ConcurrentBag<Order>(); await context.Database.CreateExecutionStrategy().ExecuteAsync(async () => { bag.⟦Add⟧(await context.Orders.FirstAsync()); });")]
    [DataRow("using var source = ((IEnumerable<Order>)orders).GetEnumerator(); DbRetryPolicy.Execute(() => { while (source.⟦MoveNext⟧()) { } });")]
    [DataRow("await context.Database.ExecuteInTransactionScopeAsync(CountAsync); Task CountAsync() { ⟦_count++⟧; return Task.CompletedTask; }")]
    public Task State_of_the_surroundings_that_builds_on_itself_is_reported(string statements) => VerifyAsync(statements);

    [TestMethod]
    [DataRow("var saved = 0; saved++; context.Database.ExecuteInTransactionScope(() => { context.SaveChanges(); }); saved++; orders.Add(order);")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { var total = 0m; foreach (var o in orders) { total += o.Total; } order.Total = total; });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { var found = new List<Order>(); found.Add(order); for (var i = 0; i < 3; i++) { } return found; });")]
    [DataRow("var total = 0m; context.Database.ExecuteInTransactionScope(() => { total = 0; foreach (var o in orders) { total += o.Total; } });")]
    [DataRow("var found = new List<Order>(); context.Database.ExecuteInTransactionScope(() => { found.Clear(); found.AddRange(context.Orders); });")]
    [DataRow("var found = new List<Order>(); context.Database.ExecuteInTransactionScope(() => { found = []; found.Add(order); });")]
    [DataRow("var a = 0; var b = 0; context.Database.ExecuteInTransactionScope(() => { (a, b) = (0, 1); a++; b++; });")]
    [DataRow("int total; context.Database.ExecuteInTransactionScope(() => { if (int.TryParse(\"1\", out total)) { total++; } });")]
    [DataRow("var saved = 0; context.Database.ExecuteInTransactionScope(() => { saved = context.SaveChanges(); });")]
    [DataRow("Order first = null; context.Database.ExecuteInTransactionScope(() => { first ??= context.Orders.First(); });")]
    [DataRow("var any = false; context.Database.ExecuteInTransactionScope(() => { any |= context.Orders.Any(); });")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => { order.Total += 5; order.Parts.Add(new Order()); context.Orders.Add(order); });")]
    [DataRow("var ids = new HashSet<Guid>(); context.Database.ExecuteInTransactionScope(() => { ids.Add(order.Id); });")]
    [DataRow("var byId = new Dictionary<Guid, Order>(); context.Database.ExecuteInTransactionScope(() => { byId[order.Id] = order; });")]
    [DataRow("var attempts = 0; context.Database.ExecuteInTransactionScope(() => { attempts++; });")]
    [DataRow("var retriesSeen = 0; context.Database.ExecuteInTransactionScope(() => { Interlocked.Increment(ref retriesSeen); });")]
    [DataRow("var verified = 0; context.Database.CreateExecutionStrategy().ExecuteInTransaction(() => { context.SaveChanges(); }, () => verified++ > 0);")]
    [DataRow("await context.Database.ExecuteInTransactionScopeAsync(async () => { var n = 0; await context.Database.ExecuteInTransactionScopeAsync(() => { n++; return Task.CompletedTask; }); });")]
    [DataRow("EventHandler changed = null; context.Database.ExecuteInTransactionScope(() => { context.SavingChanges += (_, _) => { }; });")]
    public Task State_that_each_attempt_makes_anew_is_not(string statements) => VerifyAsync(statements);

    [TestMethod]
    public async Task The_message_names_what_keeps_its_value()
    {
        var compilation = Snippet.Compile(
            Snippet.Method("context.Database.ExecuteInTransactionScope(() => { _count++; });"), TestContext.CancellationToken);

        var reported = await AnalyzerBed.ReportAsync(new CapturedStateAnalyzer(), compilation, TestContext.CancellationToken);

        Assert.StartsWith("'_count' is declared outside of this unit", reported.Single().GetMessage());
    }

    private Task VerifyAsync(string statements)
        => AnalyzerBed.VerifyAsync(new CapturedStateAnalyzer(), Snippet.Method(statements), TestContext.CancellationToken);
}
