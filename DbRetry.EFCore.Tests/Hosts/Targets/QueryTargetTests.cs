using DbRetry.EFCore.Hosts.Targets;

namespace DbRetry.EFCore.Tests.Hosts.Targets;

[TestClass]
public sealed class QueryTargetTests
{
    [TestMethod]
    [DataRow("-- dbretry-target-session: prefer-standby\n\nSELECT 1", TargetSession.PreferStandby)]
    [DataRow("-- dbretry-target-session: standby\r\n\r\nSELECT 1", TargetSession.Standby)]
    [DataRow("-- mine\n-- dbretry-target-session: any\n-- yours\n\nSELECT 1", TargetSession.Any)]
    [DataRow("-- dbretry-target-session: standby\n-- dbretry-target-session: primary\n\nSELECT 1", TargetSession.Primary, DisplayName = "the last one counts")]
    [DataRow("-- dbretry-target-session: read-only", TargetSession.ReadOnly)]
    [DataRow("-- dbretry-target-session: nearby\n\nSELECT 1", null)]
    [DataRow("SELECT 1\n-- dbretry-target-session: standby\n", null, DisplayName = "not behind the query's own text")]
    [DataRow("-- read this: dbretry-target-session: standby\nSELECT 1", null)]
    [DataRow("--\nSELECT 1", null)]
    [DataRow("SELECT 1", null)]
    [DataRow("", null)]
    public void The_comments_in_front_of_a_query_tell_its_target(string text, TargetSession? expected) => Assert.AreEqual(expected, QueryTarget.Find(text));

    [TestMethod]
    public void Every_target_is_found_again()
    {
        foreach (var target in Enum.GetValues<TargetSession>())
        {
            Assert.AreEqual(target, QueryTarget.Find($"-- {QueryTarget.Tag(target)}\n\nSELECT 1"));
        }
    }
}
