using DbRetry.EFCore.Dsn;

namespace DbRetry.EFCore.Tests.Dsn;

[TestClass]
public sealed class HostEndpointTests
{
    [TestMethod]
    [DataRow("db.example", 5432, "db.example:5432")]
    [DataRow("10.0.0.1", 6432, "10.0.0.1:6432")]
    [DataRow("::1", 5432, "[::1]:5432")]
    [DataRow("/var/run/postgresql", 5433, "/var/run/postgresql/.s.PGSQL.5433")]
    [DataRow("@abstract", 5432, "@abstract/.s.PGSQL.5432")]
    public void It_is_written_as_an_address(string host, int port, string text) =>
        Assert.AreEqual(text, new HostEndpoint(host, port).ToString());

    [TestMethod]
    public void Names_compare_without_case_and_socket_directories_with_it()
    {
        Assert.AreEqual(new HostEndpoint("Db", 1), new HostEndpoint("db", 1));
        Assert.AreEqual(new HostEndpoint("Db", 1).GetHashCode(), new HostEndpoint("db", 1).GetHashCode());
        Assert.AreNotEqual(new HostEndpoint("db", 1), new HostEndpoint("db", 2));
        Assert.AreNotEqual(new HostEndpoint("/Tmp", 1), new HostEndpoint("/tmp", 1));
        Assert.AreEqual(new HostEndpoint("/tmp", 1).GetHashCode(), new HostEndpoint("/tmp", 1).GetHashCode());
    }
}
