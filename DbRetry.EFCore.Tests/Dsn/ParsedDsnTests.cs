using DbRetry.EFCore.Dsn;
using Npgsql;

namespace DbRetry.EFCore.Tests.Dsn;

[TestClass]
public sealed class ParsedDsnTests
{
    [TestMethod]
    [DataRow("postgresql://u:p@a,b:5433/d?target_session_attrs=standby&load_balance_hosts=random&connect_timeout=3&HostRecheckSeconds=2")]
    [DataRow("host=a,b port=5432,5433 dbname=d user=u password=p target_session_attrs=standby load_balance_hosts=random connect_timeout=3 HostRecheckSeconds=2")]
    [DataRow("Host=a,b:5433;Database=d;Username=u;Password=p;Target Session Attributes=standby;Load Balance Hosts=true;Timeout=3;Host Recheck Seconds=2")]
    public void The_three_forms_give_the_same_model(string dsn)
    {
        var parsed = ParsedDsn.Parse(dsn);

        CollectionAssert.AreEqual(new[] { new HostEndpoint("a", 5432), new HostEndpoint("b", 5433) }, parsed.Hosts.ToArray());
        Assert.AreEqual(TargetSession.Standby, parsed.TargetSession);
        Assert.IsTrue(parsed.LoadBalanceHosts);
        Assert.AreEqual(2, parsed.HostRecheckSeconds);
        Assert.AreEqual("d", parsed.Database);
        var rest = new NpgsqlConnectionStringBuilder(parsed.BaseConnectionString);
        CollectionAssert.AreEquivalent(new[] { "Database", "Username", "Password", "Timeout" }, rest.Keys.ToArray());
        Assert.AreEqual("a:5432,b:5433", parsed.ToString());
    }

    [TestMethod]
    public void What_is_not_said_is_null()
    {
        var parsed = ParsedDsn.Parse("host=a");
        Assert.IsNull(parsed.TargetSession);
        Assert.IsNull(parsed.LoadBalanceHosts);
        Assert.IsNull(parsed.HostRecheckSeconds);
        Assert.IsNull(parsed.Database);
        Assert.AreEqual(string.Empty, parsed.BaseConnectionString);
    }

    [TestMethod]
    [DataRow("a")]
    [DataRow("::1")]
    [DataRow("@abstract")]
    [DataRow("/tmp")]
    [DataRow("/odd;dir:x='1'")]
    public void Npgsql_accepts_the_string_for_one_host_and_goes_there(string host)
    {
        var endpoint = new HostEndpoint(host, 5433);
        var parsed = ParsedDsn.Parse("Host=a,b;Username=u;Password='p;w';SSL Mode=VerifyCA;Target Session Attributes=primary;Load Balance Hosts=true;Host Recheck Seconds=1;Maximum Pool Size=7");

        var connectionString = parsed.ForHost(endpoint);

        using var connection = new NpgsqlConnection(connectionString);
        Assert.AreEqual(endpoint, ParsedDsn.Parse(connectionString).Hosts.Single());
        var builder = new NpgsqlConnectionStringBuilder(connectionString);
        CollectionAssert.AreEquivalent(
            new[] { "Host", "Port", "Username", "Password", "SSL Mode", "Maximum Pool Size" }, builder.Keys.ToArray());
        Assert.AreEqual("p;w", builder.Password);
        Assert.AreEqual(SslMode.VerifyCA, builder.SslMode);
    }

    [TestMethod]
    public void Keepalive_times_are_left_out_for_sockets_only()
    {
        var parsed = ParsedDsn.Parse("host=/tmp,b keepalives_idle=5 keepalives_interval=6");
        DsnAssert.Same("Host=/tmp", parsed.ForHost(parsed.Hosts[0]));
        DsnAssert.Same("Host=b;TCP Keepalive Time=5;TCP Keepalive Interval=6", parsed.ForHost(parsed.Hosts[1]));
    }

    [TestMethod]
    public void A_socket_directory_with_a_colon_works_alone_but_not_in_a_list()
    {
        DsnAssert.Same("Host=/a:b;Port=1", PostgresDsn.ToConnectionString("host=/a:b port=1"));
        var exception = Assert.ThrowsExactly<FormatException>(() => PostgresDsn.ToConnectionString("host=c,/a:b port=1"));
        Assert.Contains("host number 2", exception.Message);
    }

    [TestMethod]
    public void A_named_connection_string_must_be_looked_up_first() => DsnAssert.Rejects("Name=foo", "looked up first");

    [TestMethod]
    [DataRow("")]
    [DataRow("user:secret@host/db")]
    public void What_is_no_DSN_is_told_the_three_forms(string dsn) => DsnAssert.Rejects(dsn, "postgresql://", "dbname=", "Database=");
}
