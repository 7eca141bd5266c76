using System.Net;
using Npgsql;

namespace DbRetry.EFCore.Tests.ServerBehavior;

/// <summary>What the DSN code takes for granted about Npgsql 10's connection strings. No server is needed.</summary>
[TestClass]
public sealed class NpgsqlConnectionStringFacts
{
    [TestMethod]
    public void A_missing_host_is_refused_and_PGHOST_is_not_read()
    {
        var before = Environment.GetEnvironmentVariable("PGHOST");
        Environment.SetEnvironmentVariable("PGHOST", "localhost");
        try
        {
            Assert.Throws<ArgumentException>(() => new NpgsqlConnection("Database=d"));
        }
        finally
        {
            Environment.SetEnvironmentVariable("PGHOST", before);
        }
    }

    [TestMethod]
    [DataRow("read-write")]
    [DataRow("prefer-standby")]
    public void A_single_host_with_a_target_session_is_refused(string target) =>
        Assert.Throws<NotSupportedException>(() => new NpgsqlConnection($"Host=a;Target Session Attributes={target}"));

    [TestMethod]
    [DataRow("Host=a;Target Session Attributes=any")]
    [DataRow("Host=a;Load Balance Hosts=true;Host Recheck Seconds=3")]
    [DataRow("Host=a,b;Target Session Attributes=read-write")]
    [DataRow("Host=[::1]:5432,/tmp:5433,c;Port=7;Target Session Attributes=Prefer-Standby")]
    public void These_are_accepted(string connectionString)
    {
        using var connection = new NpgsqlConnection(connectionString);
        Assert.IsNotNull(connection);
    }

    [TestMethod]
    [DataRow("Host=a:1;Port=2", "tcp://a:1")]
    [DataRow("Host=[::1]:1;Port=2", "tcp://[::1]:1")]
    [DataRow("Host=::1;Port=2", "tcp://::1:2")]
    [DataRow("Host=/tmp;Port=2", "/tmp/.s.PGSQL.2")]
    [DataRow("Host=/tmp:1;Port=2", "/tmp:1/.s.PGSQL.2")]
    [DataRow("Host=@abstract;Port=2", "@abstract/.s.PGSQL.2")]
    public void A_single_host_may_carry_its_port_unless_it_is_a_socket(string connectionString, string dataSource)
    {
        using var connection = new NpgsqlConnection(connectionString);
        Assert.AreEqual(dataSource, connection.DataSource);
    }

    [TestMethod]
    public void Among_several_hosts_a_socket_directory_with_another_colon_is_taken_for_a_host_with_a_port() =>
        Assert.Throws<FormatException>(() => new NpgsqlConnection("Host=/a:b,c"));

    [TestMethod]
    public void An_address_in_brackets_resolves() =>
        Assert.AreEqual(IPAddress.IPv6Loopback, Dns.GetHostAddresses("[::1]").Single());

    [TestMethod]
    [DataRow("ReadWrite")]
    [DataRow("read_write")]
    [DataRow("master")]
    public void No_other_spelling_of_a_target_session_is_accepted(string target) =>
        Assert.Throws<ArgumentException>(() => new NpgsqlConnectionStringBuilder($"Host=a,b;Target Session Attributes={target}"));

    [TestMethod]
    public void The_largest_timeout_is_1024_seconds_and_0_is_allowed()
    {
        Assert.AreEqual(0, new NpgsqlConnectionStringBuilder("Timeout=0").Timeout);
        Assert.AreEqual(1024, new NpgsqlConnectionStringBuilder("Timeout=1024").Timeout);
        Assert.Throws<ArgumentException>(() => new NpgsqlConnectionStringBuilder("Timeout=1025"));
    }

    [TestMethod]
    public void Libpqs_words_for_ssl_modes_and_authentication_methods_are_not_Npgsqls()
    {
        Assert.Throws<ArgumentException>(() => new NpgsqlConnectionStringBuilder("SSL Mode=verify-full"));
        Assert.Throws<ArgumentException>(() => new NpgsqlConnectionStringBuilder("Require Auth=scram-sha-256"));
        Assert.Throws<ArgumentException>(() => new NpgsqlConnectionStringBuilder("Require Auth=md5"));
        Assert.AreEqual("MD5,ScramSHA256", new NpgsqlConnectionStringBuilder("Require Auth=MD5,ScramSHA256").RequireAuth);
    }

    [TestMethod]
    public void The_parameter_name_of_its_errors_is_the_keyword_and_inner_errors_quote_the_value()
    {
        var bad = Assert.Throws<ArgumentException>(() => new NpgsqlConnectionStringBuilder("Host=a;Port=secret"));
        Assert.AreEqual("port", bad.ParamName);
        Assert.Contains("secret", bad.ToString());
        Assert.AreEqual("foo", Assert.Throws<ArgumentException>(() => new NpgsqlConnectionStringBuilder("Foo=1")).ParamName);
        Assert.IsNull(Assert.Throws<ArgumentException>(() => new NpgsqlConnectionStringBuilder("Host")).ParamName);
    }

    [TestMethod]
    public void ContainsKey_tells_whether_a_keyword_is_known_and_ShouldSerialize_whether_it_is_set()
    {
        var builder = new NpgsqlConnectionStringBuilder("Host=a;Timeout=15");
        Assert.IsTrue(builder.ContainsKey("maximum pool size"));
        Assert.IsFalse(builder.ContainsKey("dbname"));
        Assert.IsTrue(builder.ShouldSerialize("Timeout"));
        Assert.IsFalse(builder.ShouldSerialize("Port"));
    }

    [TestMethod]
    public void A_line_break_at_the_end_of_a_value_is_lost_in_writing() =>
        Assert.AreEqual("p", new NpgsqlConnectionStringBuilder(new NpgsqlConnectionStringBuilder { Password = "p\n" }.ConnectionString).Password);

    [TestMethod]
    public void The_last_of_a_repeated_keyword_wins_under_any_alias() =>
        Assert.AreEqual("b", new NpgsqlConnectionStringBuilder("Host=a;Server=b").Host);
}
