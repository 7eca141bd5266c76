using System.Net;
using DbRetry.EFCore.Dsn;
using DbRetry.EFCore.Hosts.Names;

namespace DbRetry.EFCore.Tests.Hosts.Names;

[TestClass]
public class HostAddressesTests
{
    [TestMethod]
    [DataRow("db", "10.0.0.1", "db:5432", DisplayName = "one address: the name stays, and with it the pool")]
    [DataRow("db", "", "db:5432", DisplayName = "no answer")]
    [DataRow("db", "10.0.0.1 10.0.0.1", "db:5432", DisplayName = "one address twice")]
    [DataRow("db", "127.0.0.1 ::1", "db:5432", DisplayName = "one address of each family is one server")]
    [DataRow("db", "10.0.0.2 10.0.0.1", "10.0.0.1:5432 (db), 10.0.0.2:5432 (db)", DisplayName = "several addresses, in a steady order")]
    [DataRow("db", "fd00::2 fd00::1 10.0.0.1", "10.0.0.1:5432 (db), [fd00::1]:5432 (db), [fd00::2]:5432 (db)", DisplayName = "several addresses of one family")]
    [DataRow("db,other", "10.0.0.1 10.0.0.2", "10.0.0.1:5432 (db), 10.0.0.2:5432 (db), other:5432", DisplayName = "beside another name")]
    public void A_name_with_several_addresses_is_several_hosts(string hosts, string addresses, string expected)
    {
        var answers = new Dictionary<string, IPAddress[]> { ["db"] = [.. addresses.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(IPAddress.Parse)] };
        var expanded = HostAddresses.Expand([.. hosts.Split(',').Select(host => new HostEndpoint(host, 5432))], answers);
        Assert.AreEqual(expected, string.Join(", ", expanded));
    }

    [TestMethod]
    [DataRow("db", true)]
    [DataRow("localhost", true)]
    [DataRow("10.0.0.1", false)]
    [DataRow("::1", false)]
    [DataRow("/var/run/postgresql", false)]
    [DataRow("@abstract", false)]
    public void Only_names_are_resolved(string host, bool isName) => Assert.AreEqual(isName, HostAddresses.IsName(new HostEndpoint(host, 5432)));

    [TestMethod]
    public async Task Names_are_resolved_by_the_operating_system()
    {
        var names = new SystemHostNames();
        Assert.Contains(IPAddress.Loopback, names.Resolve("localhost"));
        Assert.Contains(IPAddress.Loopback, await names.ResolveAsync("localhost", TestContext.CancellationToken));
    }

    public required TestContext TestContext { get; set; }
}
