using DbRetry.EFCore.Dsn;

namespace DbRetry.EFCore.Tests.Dsn;

[TestClass]
public sealed class DsnFormatDetectorTests
{
    [TestMethod]
    [DataRow("postgresql://h/d")]
    [DataRow("postgres://h/d?host=a;Host=b")]
    [DataRow("  PostgreSQL://h")]
    public void A_scheme_makes_a_URI(string dsn) => Expect("Uri", dsn);

    [TestMethod]
    [DataRow("Name=foo")]
    [DataRow(" name = ConnectionStrings:foo ")]
    [DataRow("NAME=")]
    public void A_lone_name_is_left_to_EF_Core(string dsn) => Expect("Named", dsn);

    [TestMethod]
    [DataRow("host=a", DisplayName = "one pair means the same in both forms")]
    [DataRow("Host=a;Database=b")]
    [DataRow("Host=a;Port=5432;Username=u;Password=p")]
    [DataRow("host=a;password=p q;username=u")]
    [DataRow("Host=a;Application Name=my app")]
    [DataRow("Application Name=my app;Host=a")]
    [DataRow("Password=x y=z;Host=a")]
    [DataRow("Password=x dbname=d;Host=a")]
    [DataRow("password=x;Host=a")]
    [DataRow("Password='it''s dbname=x';Host=a")]
    [DataRow("Password=\"a;b\";Host=a")]
    [DataRow("Host = a ; Port = 5 ;")]
    [DataRow("Host=a, b;Username=u")]
    [DataRow("Host=a;Options=-c geqo=off -c search_path=x")]
    [DataRow("Host=/tmp;Username=u")]
    [DataRow("Host=/my dir;Username=u")]
    public void Semicolons_make_an_Npgsql_string(string dsn) => Expect("Npgsql", dsn);

    [TestMethod]
    [DataRow("host=a dbname=b")]
    [DataRow("host=a port=5432")]
    [DataRow("host = a port = 5432")]
    [DataRow("dbname=b")]
    [DataRow("user=u")]
    [DataRow("host=a,b port=1,2 dbname=x password='it\\'s'")]
    [DataRow("host=a password=x;y dbname=d")]
    [DataRow("host=a password=x;Port=3 dbname=d")]
    [DataRow("password=x;Host=b host=a")]
    [DataRow("password='x;Host=b;' host=a")]
    [DataRow("host=a password=p;")]
    [DataRow("password=x;y host=b")]
    [DataRow("password=p host=a")]
    [DataRow("host=a\nport=5")]
    [DataRow("host=a\tport=5")]
    [DataRow("hostaddr=127.0.0.1 port=5")]
    [DataRow("host=a Pooling=false")]
    public void Blanks_between_pairs_make_a_libpq_string(string dsn) => Expect("KeyValue", dsn);

    [TestMethod]
    [DataRow("")]
    [DataRow("   ")]
    [DataRow("localhost")]
    [DataRow("user:pass@host/db")]
    [DataRow("mysql://u:p@h/d")]
    [DataRow("postgresql+asyncpg://u:p@h/d?sslmode=require")]
    [DataRow("jdbc:postgresql://h/d?user=u")]
    [DataRow("=x")]
    public void Anything_else_is_not_recognized(string dsn) => Expect("Unrecognized", dsn);

    [TestMethod]
    [DataRow("Host=a;Foo=1", "Npgsql")]
    [DataRow("Application Name=x;Foo=1", "Npgsql")]
    [DataRow("Host=a;Port=5 dbname=d", "Npgsql")]
    [DataRow("Password=;Foo=1 2", "Npgsql")]
    [DataRow("Foo=1", "Npgsql")]
    [DataRow("Host = a;Foo=1", "Npgsql")]
    [DataRow("Host=a b;Username=u", "Npgsql")]
    [DataRow("host=a foo=1;2", "KeyValue")]
    [DataRow("host=a foo=1", "KeyValue")]
    [DataRow("host=/a foo=1 user=u", "KeyValue")]
    [DataRow("host=a dbname", "KeyValue")]
    [DataRow("host=h password=\"a b\"", "KeyValue")]
    public void What_is_wrong_in_both_forms_is_given_to_the_likelier_one(string dsn, string format) => Expect(format, dsn);

    private static void Expect(string format, string dsn) =>
        Assert.AreEqual(Enum.Parse<DsnFormat>(format), DsnFormatDetector.Detect(dsn));
}
