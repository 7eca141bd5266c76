using System.Reflection;
using DbRetry.EFCore.Diagnostics;
using Microsoft.Extensions.Logging;

namespace DbRetry.EFCore.Tests.Diagnostics;

[TestClass]
public sealed class EventTableTests
{
    private static readonly Dictionary<string, EventId> Published = typeof(DbRetryEventId).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Where(field => field.FieldType == typeof(EventId))
        .ToDictionary(field => field.Name, field => (EventId)field.GetValue(null)!);

    private static readonly Dictionary<string, LoggerMessageAttribute> Logged = typeof(LogEvents).GetMethods(BindingFlags.NonPublic | BindingFlags.Static)
        .Select(method => (method.Name, Attribute: method.GetCustomAttribute<LoggerMessageAttribute>()))
        .Where(method => method.Attribute is not null)
        .ToDictionary(method => method.Name, method => method.Attribute!);

    /// <summary>Whoever filters by an id must find the same event behind it for ever.</summary>
    [TestMethod]
    [DataRow(nameof(DbRetryEventId.AttemptRetried), 50000)]
    [DataRow(nameof(DbRetryEventId.UnitRecovered), 50001)]
    [DataRow(nameof(DbRetryEventId.ConflictsOvercome), 50002)]
    [DataRow(nameof(DbRetryEventId.FailureNotRetried), 50003)]
    [DataRow(nameof(DbRetryEventId.RetriesExhausted), 50004)]
    [DataRow(nameof(DbRetryEventId.RetryBudgetExhausted), 50005)]
    [DataRow(nameof(DbRetryEventId.SessionEnded), 50006)]
    [DataRow(nameof(DbRetryEventId.CallbackFailed), 50007)]
    [DataRow(nameof(DbRetryEventId.HostFound), 50100)]
    [DataRow(nameof(DbRetryEventId.HostLost), 50101)]
    [DataRow(nameof(DbRetryEventId.FailedOver), 50102)]
    [DataRow(nameof(DbRetryEventId.WaitingForHost), 50103)]
    [DataRow(nameof(DbRetryEventId.DoubtResolved), 50200)]
    [DataRow(nameof(DbRetryEventId.OutcomeUnknown), 50201)]
    [DataRow(nameof(DbRetryEventId.ReloadRefused), 50300)]
    public void An_event_keeps_its_id(string name, int id) => Assert.AreEqual(id, Published[name].Id);

    [TestMethod]
    public void Every_event_that_is_logged_is_published_under_its_own_name_and_id()
    {
        CollectionAssert.AreEquivalent(Published.Keys, Logged.Keys);
        foreach (var (name, attribute) in Logged)
        {
            Assert.AreEqual(Published[name].Id, attribute.EventId, name);
            Assert.AreEqual(Published[name].Name, attribute.EventName, name);
            Assert.EndsWith($".{name}", attribute.EventName);
        }
    }

    [TestMethod]
    public void The_guide_lists_every_event_with_its_level()
    {
        var guide = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "docs", "observability.md"));
        foreach (var (name, attribute) in Logged)
        {
            Assert.Contains($"| {attribute.EventId} | `{name}` | {attribute.Level} |", guide);
        }
    }
}
