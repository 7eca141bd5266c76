namespace DbRetry.EFCore.Tests.Dsn;

[TestClass]
public sealed class NpgsqlDsnTests
{
    [TestMethod]
    [DataRow("host=a")]
    [DataRow("Host=a;Port=5433;Username=u;Password='x;y'")]
    [DataRow("Server=a,b:5433;Port=5434;Target Session Attributes=prefer-primary;Load Balance Hosts=true;Host Recheck Seconds=3")]
    [DataRow("Host=a;Target Session Attributes=any")]
    [DataRow(" Host = a ;; Maximum Pool Size = 5 ")]
    public void A_valid_one_comes_back_as_it_is(string dsn) => Assert.AreEqual(dsn, PostgresDsn.ToConnectionString(dsn));

    [TestMethod]
    [DataRow("Host=a:1;Port=2", "a:1")]
    [DataRow("Host=[::1]:1", "[::1]:1")]
    [DataRow("Host=::1;Port=2", "[::1]:2")]
    [DataRow("Host=/tmp:1;Port=2", "/tmp:1/.s.PGSQL.2")]
    [DataRow("Host=/tmp:1,@x:2,[::1]:3, ::2 ,c;Port=4", "/tmp/.s.PGSQL.1,@x/.s.PGSQL.2,[::1]:3,[::2]:4,c:4")]
    [DataRow("Host=a;Server=b", "b:5432")]
    public void Hosts_are_read_as_Npgsql_reads_them(string dsn, string hosts) => Assert.AreEqual(hosts, DsnAssert.HostsOf(dsn));

    [TestMethod]
    public void What_Npgsql_refuses_for_a_single_host_is_left_out() =>
        DsnAssert.Means("Host=a;Username=u", "Host=a;Username=u;Target Session Attributes=primary");

    [TestMethod]
    [DataRow("Database=d;Username=u", "names no host")]
    [DataRow("Host=;Username=u", "names no host")]
    [DataRow("Host=' ';Username=u", "names no host")]
    [DataRow("Host=a,,b;Username=u", "host number 2 is empty")]
    [DataRow("Host=a:x;Username=u", "port of host number 1")]
    [DataRow("Host=a;Password=\"p\n\"", "line break at the end")]
    [DataRow("Host=g::b:5;Username=u", "is no IPv6 address")]
    [DataRow("Host=a b;Username=u", "host number 1 holds a character")]
    [DataRow("Host=/a:b,c;Username=u", "port of host number 1")]
    [DataRow("Host=a;Port=x", "'port'")]
    [DataRow("Host=a;Port=70000", "65535")]
    [DataRow("Host=a;SSL Mode=nonsense", "'ssl mode'")]
    [DataRow("Host=a;Target Session Attributes=master", "'target session attributes'")]
    [DataRow("Host=a;Foo=1", "'foo' (character 8)")]
    [DataRow("Host=a;Foo=", "empty value")]
    [DataRow("Host=a;Password='x", "well-formed")]
    [DataRow("Host=a;Username", "well-formed")]
    public void A_bad_one_is_refused_with_a_reason(string dsn, params string[] fragments) => DsnAssert.Rejects(dsn, fragments);
}
