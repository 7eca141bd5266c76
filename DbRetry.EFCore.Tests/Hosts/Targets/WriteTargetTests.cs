using DbRetry.EFCore.Hosts.Targets;

namespace DbRetry.EFCore.Tests.Hosts.Targets;

[TestClass]
public sealed class WriteTargetTests
{
    [TestMethod]
    [DataRow(TargetSession.Any, 3, TargetSession.ReadWrite)]
    [DataRow(TargetSession.ReadWrite, 3, TargetSession.ReadWrite)]
    [DataRow(TargetSession.ReadOnly, 3, TargetSession.ReadOnly)]
    [DataRow(TargetSession.Primary, 3, TargetSession.Primary)]
    [DataRow(TargetSession.PreferPrimary, 3, TargetSession.Primary)]
    [DataRow(TargetSession.PreferStandby, 3, TargetSession.ReadWrite)]
    [DataRow(TargetSession.Any, 1, TargetSession.Any)]
    [DataRow(TargetSession.PreferPrimary, 1, TargetSession.PreferPrimary)]
    [DataRow(TargetSession.PreferStandby, 1, TargetSession.PreferStandby)]
    public void A_write_goes_where_writes_are_taken(TargetSession target, int hosts, TargetSession expected)
        => Assert.AreEqual(expected, WriteTarget.For(target, hosts));

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    public void No_standby_takes_a_write(int hosts) => Assert.IsNull(WriteTarget.For(TargetSession.Standby, hosts));

    [TestMethod]
    [DataRow(TargetSession.Standby, 3, true, "AnotherTarget")]
    [DataRow(TargetSession.Standby, 1, null, "AnotherTarget")]
    [DataRow(TargetSession.ReadOnly, 3, true, "AnotherTarget")]
    [DataRow(TargetSession.PreferStandby, 3, true, "ThePrimary")]
    [DataRow(TargetSession.PreferStandby, 3, null, "ThePrimary")]
    [DataRow(TargetSession.PreferStandby, 1, true, "AnotherHost")]
    [DataRow(TargetSession.PreferPrimary, 3, true, "ThePrimary")]
    [DataRow(TargetSession.Any, 3, true, "ThePrimary")]
    [DataRow(TargetSession.Any, 1, true, "AnotherHost")]
    [DataRow(TargetSession.ReadWrite, 3, true, "AnotherHost")]
    [DataRow(TargetSession.Primary, 3, null, "AnotherHost")]
    [DataRow(null, 1, null, "AnotherHost")]
    [DataRow(TargetSession.PreferStandby, 3, false, "None")]
    [DataRow(TargetSession.Standby, 3, false, "None")]
    [DataRow(TargetSession.ReadWrite, 3, false, "None")]
    public void What_helps_against_a_host_that_refused_a_write(TargetSession? target, int hosts, bool? serverIsReadOnly, string expected)
        => Assert.AreEqual(expected, WriteTarget.AfterRefusal(target, hosts, serverIsReadOnly).ToString());
}
