using DbRetry.EFCore.Hosts;

namespace DbRetry.EFCore.Tests.Hosts;

[TestClass]
public sealed class TargetSessionMatchTests
{
    // libpq's table (PostgreSQL manual, 34.1.2), and prefer-primary, which only Npgsql has.
    [TestMethod]
    [DataRow(TargetSession.Any, "Fits", "Fits", "Fits")]
    [DataRow(TargetSession.ReadWrite, "Fits", "Unfit", "Unfit")]
    [DataRow(TargetSession.ReadOnly, "Unfit", "Fits", "Fits")]
    [DataRow(TargetSession.Primary, "Fits", "Fits", "Unfit")]
    [DataRow(TargetSession.Standby, "Unfit", "Unfit", "Fits")]
    [DataRow(TargetSession.PreferPrimary, "Fits", "Fits", "Acceptable")]
    [DataRow(TargetSession.PreferStandby, "Acceptable", "Acceptable", "Fits")]
    public void Each_role_serves_a_target_session_as_libpq_says(TargetSession target, string primary, string readOnlyPrimary, string standby)
    {
        Assert.AreEqual(primary, $"{target.Match(HostRole.Primary)}");
        Assert.AreEqual(readOnlyPrimary, $"{target.Match(HostRole.ReadOnlyPrimary)}");
        Assert.AreEqual(standby, $"{target.Match(HostRole.Standby)}");
    }

    [TestMethod]
    [DataRow(TargetSession.Any, "Fits")]
    [DataRow(TargetSession.ReadWrite, "Unfit")]
    [DataRow(TargetSession.ReadOnly, "Unfit")]
    [DataRow(TargetSession.Primary, "Unfit")]
    [DataRow(TargetSession.Standby, "Unfit")]
    [DataRow(TargetSession.PreferPrimary, "Unfit")]
    [DataRow(TargetSession.PreferStandby, "Unfit")]
    public void A_primary_that_was_replaced_serves_only_those_who_take_any_host(TargetSession target, string match)
        => Assert.AreEqual(match, $"{target.Match(HostRole.SupersededPrimary)}");

    [TestMethod]
    public void Every_target_session_has_a_meaning()
    {
        foreach (var target in Enum.GetValues<TargetSession>())
        {
            _ = target.Match(HostRole.Primary);
        }

        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ((TargetSession)99).Match(HostRole.Primary));
    }

    [TestMethod]
    [DataRow(TargetSession.Any, null, true)]
    [DataRow(TargetSession.ReadWrite, null, false)]
    [DataRow(TargetSession.PreferStandby, null, false)]
    [DataRow(TargetSession.ReadWrite, "Primary", true)]
    [DataRow(TargetSession.ReadWrite, "Standby", false, DisplayName = "It may have been promoted since.")]
    [DataRow(TargetSession.ReadWrite, "ReadOnlyPrimary", false)]
    [DataRow(TargetSession.Primary, "ReadOnlyPrimary", true)]
    [DataRow(TargetSession.Primary, "Standby", false)]
    [DataRow(TargetSession.PreferPrimary, "Standby", false)]
    [DataRow(TargetSession.ReadOnly, "Primary", false)]
    [DataRow(TargetSession.ReadOnly, "Standby", true)]
    [DataRow(TargetSession.Standby, "Standby", true)]
    [DataRow(TargetSession.Standby, "Primary", true, DisplayName = "It cannot have been demoted under an open connection.")]
    [DataRow(TargetSession.PreferStandby, "Primary", true)]
    [DataRow(TargetSession.PreferStandby, "ReadOnlyPrimary", true)]
    public void A_report_is_believed_where_it_suits_or_cannot_have_changed(TargetSession target, string? reported, bool believed)
        => Assert.AreEqual(believed, target.Believes(reported is null ? null : Enum.Parse<HostRole>(reported)));
}
