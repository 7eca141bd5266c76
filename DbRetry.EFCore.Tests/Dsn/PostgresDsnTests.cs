using Npgsql;

namespace DbRetry.EFCore.Tests.Dsn;

[TestClass]
public sealed class PostgresDsnTests
{
    private const string Template = "postgresql://login:password@/db_placeholder?host=host1&host=host2";

    [TestMethod]
    [DataRow(Template, true)]
    [DataRow("postgresql://login:password@/db?host=host1,host2", true)]
    [DataRow("postgresql://login:password@host1:5432,host2:5432/db", true)]
    [DataRow("postgresql://login:password@/db?host=host1", false)]
    [DataRow("postgresql://login:password@host1:5432/db", false)]
    [DataRow("host=a,b dbname=d", true)]
    [DataRow("host=a,a dbname=d", true)]
    [DataRow("host=a dbname=d", false)]
    [DataRow("Host=a:1,b:2", true)]
    [DataRow("Host=a", false)]
    public void IsMultiHost_counts_the_hosts_of_every_form(string dsn, bool expected) => Assert.AreEqual(expected, PostgresDsn.IsMultiHost(dsn));

    [TestMethod]
    [DataRow(Template)]
    [DataRow("postgresql://login:password@host1,host2/db_placeholder?target_session_attrs=standby")]
    [DataRow("postgresql://login:password@host1,host2")]
    [DataRow("host=host1,host2 user=login password=password dbname=x target_session_attrs=any")]
    [DataRow("Host=host1,host2;Username=login;Password=password;DB=x;TargetSessionAttributes=prefer-primary")]
    public void Build_replaces_the_database_and_sets_the_session(string dsn)
    {
        DsnAssert.Same(
            "Host=host1,host2;Username=login;Password=password;Database=my db;Target Session Attributes=read-write",
            PostgresDsn.Build(dsn, "my db"));
        DsnAssert.Same(
            "Host=host1,host2;Username=login;Password=password;Database='a;b';Target Session Attributes=prefer-standby",
            PostgresDsn.Build(dsn, "a;b", useReplica: true));
    }

    [TestMethod]
    public void Build_keeps_everything_else() => DsnAssert.Same(
        "Host=a,b;Database=d;Target Session Attributes=read-write;Load Balance Hosts=false;Host Recheck Seconds=7;Pooling=false",
        PostgresDsn.Build("Host=a,b;Load Balance Hosts=false;Host Recheck Seconds=7;Pooling=false;Database=x", "d"));

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void Build_gives_a_single_host_no_session_because_Npgsql_would_refuse_it(bool useReplica)
    {
        var connectionString = PostgresDsn.Build("postgresql://u:p@h/x?target_session_attrs=standby", "d", useReplica);
        DsnAssert.Same("Host=h;Username=u;Password=p;Database=d", connectionString);
        using var connection = new NpgsqlConnection(connectionString);
    }

    [TestMethod]
    public void Nothing_is_refused_as_an_argument_error()
    {
        Assert.ThrowsExactly<ArgumentNullException>(() => PostgresDsn.ToConnectionString(null!));
        Assert.ThrowsExactly<ArgumentNullException>(() => PostgresDsn.IsMultiHost(null!));
        Assert.ThrowsExactly<ArgumentNullException>(() => PostgresDsn.Build(null!, "d"));
        Assert.ThrowsExactly<ArgumentNullException>(() => PostgresDsn.Build("host=a", null!));
        Assert.ThrowsExactly<ArgumentException>(() => PostgresDsn.Build("host=a", " "));
    }

    [TestMethod]
    [DataRow(Template)]
    [DataRow("host=a,/tmp,::1 port=1,2,3 dbname=d")]
    [DataRow("Host=a;Target Session Attributes=primary")]
    public void Translating_twice_is_translating_once(string dsn)
    {
        var once = PostgresDsn.ToConnectionString(dsn);
        Assert.AreEqual(once, PostgresDsn.ToConnectionString(once));
        using var connection = new NpgsqlConnection(once);
    }
}
