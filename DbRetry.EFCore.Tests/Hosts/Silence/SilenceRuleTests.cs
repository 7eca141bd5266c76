using DbRetry.EFCore.Hosts.Silence;

namespace DbRetry.EFCore.Tests.Hosts.Silence;

[TestClass]
public sealed class SilenceRuleTests
{
    // How long the oldest command waits, how long ago the host answered anybody, how long ago its place was looked for elsewhere; in milliseconds.
    [TestMethod]
    [DataRow(249, 9_000, 9_000, "None", DisplayName = "nobody has waited for long")]
    [DataRow(250, 9_000, 9_000, "Silent")]
    [DataRow(900, 249, 9_000, "None", DisplayName = "it answers others")]
    [DataRow(900, 250, 9_000, "Silent")]
    [DataRow(4_000, 999, 1_999, "None", DisplayName = "the longer a command runs, the rarer the questions")]
    [DataRow(4_000, 1_000, 1_999, "Silent")]
    [DataRow(3_600_000, 4_999, 29_999, "None")]
    [DataRow(3_600_000, 5_000, 29_999, "Silent", DisplayName = "but they do not end")]
    [DataRow(1_999, 10, 9_000, "None")]
    [DataRow(2_000, 10, 1_999, "None")]
    [DataRow(2_000, 10, 2_000, "Replaced", DisplayName = "it answers others, and keeps this one waiting")]
    [DataRow(10_000, 10, 4_999, "None")]
    [DataRow(10_000, 10, 5_000, "Replaced")]
    [DataRow(3_600_000, 10, 30_000, "Replaced")]
    public void A_host_is_suspected_by_how_long_it_has_answered_nobody(int waiting, int sinceAnswer, int sinceLookAround, string suspicion)
        => Assert.AreEqual(
            suspicion,
            $"{SilenceRule.Judge(TimeSpan.FromMilliseconds(waiting), TimeSpan.FromMilliseconds(sinceAnswer), TimeSpan.FromMilliseconds(sinceLookAround))}");
}
