using DbRetry.EFCore.Analyzers.Units;

namespace DbRetry.EFCore.Tests.Analyzers;

[TestClass]
public class EffectAnalyzerTests
{
    public required TestContext TestContext { get; set; }

    [TestMethod]
    [DataRow("await context.Database.ExecuteInTransactionScopeAsync(async token => { await http.⟦PostAsync⟧(\"/mail\", null, token); }, cancellationToken: cancellation);")]
    [DataRow("await context.Database.ExecuteInTransactionScopeAsync(async () => { await http.⟦PutAsJsonAsync⟧(\"/mail\", order); return 1; });")]
    [DataRow("await context.Database.CreateExecutionStrategy().ExecuteAsync(async () => await http.⟦SendAsync⟧(new HttpRequestMessage()));")]
    [DataRow("await context.Database.CreateExecutionStrategy().ExecuteAsync(order, async (state, token) => { await http.⟦DeleteAsync⟧(\"/\" + state.Id, token); }, cancellation);")]
    [DataRow("await context.Database.CreateExecutionStrategy().ExecuteInTransactionAsync(async () => { await http.⟦PostAsync⟧(\"/\", null); }, () => Task.FromResult(true));")]
    [DataRow("context.Database.CreateExecutionStrategy().ExecuteInTransaction(() => { http.⟦Send⟧(new HttpRequestMessage()); }, () => true);")]
    [DataRow("context.Database.ExecuteInTransactionScope(() => new System.Net.Mail.SmtpClient().⟦Send⟧(new System.Net.Mail.MailMessage()));")]
    [DataRow("await DbRetryPolicy.ExecuteAsync(async token => await http.⟦PostAsync⟧(\"/\", null, token));")]
    [DataRow("await context.Database.ExecuteInTransactionScopeAsync(delegate (CancellationToken token) { return http.⟦PostAsync⟧(\"/\", null); });")]
    [DataRow("await context.Database.ExecuteInTransactionScopeAsync(() => Task.WhenAll(orders.Select(o => http.⟦PostAsync⟧(\"/\" + o.Id, null))));")]
    [DataRow("await context.Database.ExecuteInTransactionScopeAsync(SendAsync); async Task SendAsync() => await http.⟦PostAsync⟧(\"/\", null);")]
    [DataRow("var channel = System.Threading.Channels.Channel.CreateUnbounded<int>(); context.Database.ExecuteInTransactionScope(() => { channel.Writer.⟦TryWrite⟧(1); });")]
    public Task What_a_unit_sends_is_reported(string statements) => VerifyAsync(Snippet.Method(statements));

    [TestMethod]
    [DataRow("await http.PostAsync(\"/mail\", null, cancellation);")]
    [DataRow("await context.Database.ExecuteInTransactionScopeAsync(() => context.SaveChangesAsync(cancellation)); await http.PostAsync(\"/mail\", null);")]
    [DataRow("await context.Database.ExecuteInTransactionScopeAsync(async () => { order.Total = await http.GetFromJsonAsync<decimal>(\"/price\"); });")]
    [DataRow("await context.Database.ExecuteInTransactionScopeAsync(async () => { await http.GetStringAsync(\"/price\"); });")]
    [DataRow("await orders.ToAsyncEnumerable().ToListAsync(); orders.ForEach(o => http.Send(new HttpRequestMessage()));")]
    [DataRow("var after = new List<Func<Task>>(); await context.Database.ExecuteInTransactionScopeAsync(async () => { after.Clear(); after.Add(() => http.PostAsync(\"/\", null)); await context.SaveChangesAsync(); });")]
    [DataRow("await context.Database.CreateExecutionStrategy().ExecuteInTransactionAsync(() => context.SaveChangesAsync(), async () => (await http.PostAsync(\"/\", null)).IsSuccessStatusCode);")]
    public Task What_is_sent_elsewhere_or_only_read_is_not(string statements) => VerifyAsync(Snippet.Method(statements));

    [TestMethod]
    public Task A_method_of_the_same_file_that_is_passed_as_a_unit_is_looked_into()
        => VerifyAsync(
            """
            public class Shop(ShopContext context, HttpClient http)
            {
                public Task RunAsync() => context.Database.ExecuteInTransactionScopeAsync(PayAsync);

                private async Task PayAsync(CancellationToken token) => await http.⟦PostAsync⟧("/pay", null, token);

                private async Task AskAsync(CancellationToken token) => await http.PostAsync("/pay", null, token);
            }
            """);

    [TestMethod]
    public Task A_unit_inside_of_a_unit_is_reported_once()
        => VerifyAsync(Snippet.Method(
            "await context.Database.ExecuteInTransactionScopeAsync(() => context.Database.ExecuteInTransactionScopeAsync(() => http.⟦PostAsync⟧(\"/\", null)));"));

    [TestMethod]
    [DataRow("Confluent.Kafka", "interface IProducer<TKey, TValue> { void Produce(string topic); }", "producer.⟦Produce⟧(\"orders\");")]
    [DataRow("RabbitMQ.Client", "interface IProducer<TKey, TValue> { void BasicPublish(string topic); }", "producer.BasicPublish(\"another type\");")]
    [DataRow("MassTransit", "interface IProducer<TKey, TValue> { void Publish(string topic); }", "producer.Publish(\"perhaps an outbox\");")]
    public Task Brokers_are_known_by_name(string library, string type, string call)
        => VerifyAsync(
            $$"""
            namespace {{library}} { public {{type}} }

            public class Shop(ShopContext context, {{library}}.IProducer<int, string> producer)
            {
                public void Run() => context.Database.ExecuteInTransactionScope(() => { {{call}} });
            }
            """);

    [TestMethod]
    [DataRow("dbretry_effects", "Acme.IMailer.Deliver*", "mailer.⟦DeliverNow⟧(); http.⟦Send⟧(new());")]
    [DataRow("dbretry_effects", "Acme.IBus.Publish, Acme.IMailer.*", "mailer.⟦DeliverNow⟧(); http.⟦Send⟧(new());")]
    [DataRow("dbretry_effects", "Acme.IMailer.Deliver", "mailer.DeliverNow(); http.⟦Send⟧(new());")]
    [DataRow("dbretry_no_effects", "System.Net.Http.HttpClient.*", "mailer.DeliverNow(); http.Send(new());")]
    public Task An_editorconfig_adds_and_removes(string option, string value, string calls)
        => AnalyzerBed.VerifyAsync(
            new EffectAnalyzer(),
            $$"""
            namespace Acme { public interface IMailer { void DeliverNow(); } public class Mailer : IMailer { public void DeliverNow() { } } }

            public class Shop(ShopContext context, HttpClient http, Acme.Mailer mailer)
            {
                public void Run() => context.Database.ExecuteInTransactionScope(() => { {{calls}} });
            }
            """,
            TestContext.CancellationToken,
            new FixedOptions(option, value));

    [TestMethod]
    public async Task Nothing_is_reported_where_the_library_is_not_referenced()
    {
        var compilation = Snippet.Compile(
            """
            public class Shop(ShopContext context, HttpClient http)
            {
                public Task RunAsync() => context.Database.CreateExecutionStrategy().ExecuteAsync(() => http.PostAsync("/", null));
            }
            """,
            TestContext.CancellationToken,
            withLibrary: false);

        Assert.IsEmpty(await AnalyzerBed.ReportAsync(new EffectAnalyzer(), compilation, TestContext.CancellationToken));
    }

    [TestMethod]
    public async Task The_message_names_what_is_repeated()
    {
        var compilation = Snippet.Compile(
            Snippet.Method("context.Database.ExecuteInTransactionScope(() => { http.Send(new()); });"), TestContext.CancellationToken);

        var reported = await AnalyzerBed.ReportAsync(new EffectAnalyzer(), compilation, TestContext.CancellationToken);

        Assert.AreEqual("'HttpClient.Send' happens again each time this unit is replayed; do it after the unit", reported.Single().GetMessage());
    }

    private Task VerifyAsync(string marked) => AnalyzerBed.VerifyAsync(new EffectAnalyzer(), marked, TestContext.CancellationToken);
}
