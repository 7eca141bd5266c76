using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts;

[TestClass]
public sealed class DefaultTargetTests
{
    [TestMethod]
    [DataRow(null, null, 1, TargetSession.Any)]
    [DataRow(null, null, 2, TargetSession.ReadWrite)]
    [DataRow(null, TargetSession.Standby, 1, TargetSession.Standby)]
    [DataRow(null, TargetSession.Any, 3, TargetSession.Any)]
    [DataRow(TargetSession.Primary, TargetSession.Standby, 3, TargetSession.Primary)]
    [DataRow(TargetSession.ReadOnly, null, 1, TargetSession.ReadOnly)]
    public void The_option_wins_over_the_DSN_and_the_DSN_over_the_number_of_hosts(TargetSession? option, TargetSession? dsn, int hosts, TargetSession expected)
        => Assert.AreEqual(expected, DefaultTarget.Resolve(option, dsn, hosts));
}

[TestClass]
public sealed class HostLimitsTests
{
    [TestMethod]
    [DataRow("Timeout=15", 3000, 3)]
    [DataRow("Timeout=2", 3000, 2)]
    [DataRow("Timeout=0", 3000, 3, DisplayName = "0 is no limit at all.")]
    [DataRow("", 1, 1, DisplayName = "A fraction of a second becomes a whole one.")]
    [DataRow("", 2001, 3)]
    public void A_host_gets_the_shorter_of_both_limits(string settings, int hostTimeoutMilliseconds, int expected)
        => Assert.AreEqual(
            expected, new NpgsqlConnectionStringBuilder(settings).LimitTimeout(TimeSpan.FromMilliseconds(hostTimeoutMilliseconds)).Timeout);

    [TestMethod]
    [DataRow("Host=a", GssEncryptionMode.Disable)]
    [DataRow("Host=a;GSS Encryption Mode=Prefer", GssEncryptionMode.Prefer)]
    [DataRow("Host=a;GssEncryptionMode=Require", GssEncryptionMode.Require)]
    public void A_synchronous_open_of_a_silent_host_has_no_second_try_that_waits_for_ever(string settings, GssEncryptionMode expected)
        => Assert.AreEqual(expected, new NpgsqlConnectionStringBuilder(settings).WithoutSecondTry().GssEncryptionMode);

    [TestMethod]
    [DataRow("Host=a", "a", true, 5, 2)]
    [DataRow("Host=a;TCP Keepalive=false", "a", false, 0, 0)]
    [DataRow("Host=a;TcpKeepAliveTime=60;TcpKeepAliveInterval=7", "a", false, 60, 7)]
    [DataRow("Host=/tmp", "/tmp", false, 0, 0)]
    public void A_peer_that_is_gone_is_noticed_by_the_kernel_unless_the_application_says_how(
        string settings, string host, bool on, int time, int interval)
    {
        var limited = new NpgsqlConnectionStringBuilder(settings).WithKeepalive(new HostEndpoint(host, 5432));
        Assert.AreEqual((on, time, interval), (limited.TcpKeepAlive, limited.TcpKeepAliveTime, limited.TcpKeepAliveInterval));
    }

    [TestMethod]
    public void A_place_in_the_pool_may_be_waited_for_as_long_as_the_connection_string_says()
    {
        Assert.AreEqual(TimeSpan.FromSeconds(15), new NpgsqlConnectionStringBuilder("Host=a").PoolTimeout());
        Assert.AreEqual(TimeSpan.FromSeconds(7), new NpgsqlConnectionStringBuilder("Timeout=7").PoolTimeout());
    }

    [TestMethod]
    public void A_timeout_of_zero_lets_a_connection_wait_for_ever_in_the_pool()
        => Assert.AreEqual(TimeSpan.MaxValue, new NpgsqlConnectionStringBuilder("Timeout=0").PoolTimeout());
}
