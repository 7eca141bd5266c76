namespace DbRetry.EFCore.Tests.Dsn;

[TestClass]
public sealed class KeyValueDsnTests
{
    [TestMethod]
    [DataRow("host=h dbname=d", "Host=h;Database=d")]
    [DataRow(" host = h  dbname =d\tuser= u\n", "Host=h;Database=d;Username=u")]
    [DataRow("host=h password='it\\'s'", "Host=h;Password=\"it's\"")]
    [DataRow("host=h password=it\\'s\\ \\\\x", "Host=h;Password=\"it's \\x\"")]
    [DataRow("host=h password='a b;c=\"d'", "Host=h;Password='a b;c=\"d'")]
    [DataRow("host=h password=a;b user=u", "Host=h;Password='a;b';Username=u")]
    [DataRow("host=h password='p'user=u", "Host=h;Password=p;Username=u", DisplayName = "nothing need follow a closing quote, as in libpq")]
    [DataRow("host=h user=u password=''", "Host=h;Username=u")]
    [DataRow("host=h user=u password=", "Host=h;Username=u")]
    [DataRow("host=h user=u\\", "Host=h;Username=u")]
    [DataRow("host=h password=a=b user=u", "Host=h;Password='a=b';Username=u")]
    [DataRow("HOST=h Pooling=false username=u", "Host=h;Pooling=false;Username=u")]
    [DataRow("host=a,b port=1,2 dbname=x password='it\\'s'", "Host=a:1,b:2;Database=x;Password=\"it's\"")]
    [DataRow("host=a,b port=7 dbname=x", "Host=a:7,b:7;Database=x")]
    [DataRow("host=a,b port=,7 dbname=x", "Host=a:5432,b:7;Database=x")]
    [DataRow("host='a, b' port='1, 2' dbname=x", "Host=a:1,b:2;Database=x")]
    [DataRow("host=/var/run/postgresql port=5433 dbname=x", "Host=/var/run/postgresql;Port=5433;Database=x")]
    [DataRow("host=@a,::1,c port=5433 dbname=x", "Host=@a:5433,[::1]:5433,c:5433;Database=x")]
    [DataRow("hostaddr=10.0.0.1 dbname=x", "Host=10.0.0.1;Database=x")]
    public void A_libpq_string_means_what_libpq_means_by_it(string dsn, string expected) => DsnAssert.Means(expected, dsn);

    [TestMethod]
    [DataRow("dbname=d user=u", "names no host")]
    [DataRow("host=a dbname", "character 8", "name=value")]
    [DataRow("host=a dbname user=u", "character 8", "name=value")]
    [DataRow("host=a =b user=u", "character 8", "name=value")]
    [DataRow("host=a password='b user=u", "character 17", "never closed")]
    [DataRow("host=a password='b\\", "character 17", "never closed")]
    [DataRow("host=a password=my secret user=u", "character 20", "name=value")]
    [DataRow("host=a dbname=b foo=1", "'foo' (character 17)")]
    [DataRow("host=a,b port=1,2,3 dbname=x", "3 ports for 2 hosts")]
    [DataRow("host=a port=x dbname=x", "port of host number 1")]
    [DataRow("host=a dbname=b dbname=c", "'dbname' (character 17)", "contradicts")]
    [DataRow("host=a application_name=b connect_timeout=1 connect_timeout=2", "'connect_timeout'", "contradicts")]
    public void A_bad_libpq_string_is_refused_with_a_reason(string dsn, params string[] fragments) => DsnAssert.Rejects(dsn, fragments);
}
