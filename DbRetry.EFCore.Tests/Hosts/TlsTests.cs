using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using DbRetry.EFCore.Hosts.Names;
using DbRetry.EFCore.Tests.Hosts.Names;
using DbRetry.EFCore.Tests.Retry;
using DbRetry.EFCore.Tests.Support;
using DbRetry.EFCore.Tests.Support.Cluster;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbRetry.EFCore.Tests.Hosts;

/// <summary>
/// <c>VerifyFull</c> with several hosts: node 0 is 127.0.0.2 by its certificate, and localhost, node 1 is 127.0.0.3. Both listen on all addresses, so that each
/// can be reached under a name that is not its own.
/// </summary>
[TestClass]
public sealed class TlsTests
{
    private static readonly string[][] Names = [["127.0.0.2", "localhost", "db.test"], ["127.0.0.3", "db.test"]];

    private static TestAuthority? _authority;
    private static LocalCluster? _cluster;
    private static string _folder = string.Empty;

    public required TestContext TestContext { get; set; }

    private CancellationToken Cancellation => TestContext.CancellationToken;

    private static LocalCluster Cluster => _cluster!;

    [ClassInitialize]
    public static async Task StartAsync(TestContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (SharedCluster.ExternalServer is not null || !OperatingSystem.IsLinux())
        {
            return; // Each test says what it needs.
        }

        _authority = new TestAuthority();
        _folder = Directory.CreateTempSubdirectory("dbretry-tls-").FullName;
        await File.WriteAllTextAsync(Root, _authority.Certificate.ExportCertificatePem(), context.CancellationToken);
        _cluster = await SharedCluster.OwnAsync(
            new LocalClusterOptions
            {
                Nodes = 2,
                Prepare = (node, folder) => _authority.Issue(folder, Names[node]),
                Settings = new Dictionary<string, string>
                {
                    ["listen_addresses"] = "127.0.0.1,127.0.0.2,127.0.0.3",
                    ["ssl"] = "on",
                    ["ssl_cert_file"] = "../server.crt",
                    ["ssl_key_file"] = "../server.key",
                },
                AccessRules = ["hostssl all all 127.0.0.0/8 trust"],
            },
            context.CancellationToken);
    }

    [ClassCleanup]
    public static async Task StopAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
            Directory.Delete(_folder, recursive: true);
            _authority!.Dispose();
        }
    }

    [TestInitialize]
    public void RequireLocalAddresses() => SharedCluster.RequireLocalAddresses();

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Each_host_is_verified_against_its_own_name_also_after_a_failover(bool async)
    {
        using var authority = X509CertificateLoader.LoadCertificateFromFile(Root);
        await using var dataSource = new NpgsqlDataSourceBuilder($"{Hosts("127.0.0.2", "127.0.0.3")};SSL Mode=VerifyFull;Application Name=callback")
            .UseRootCertificate(authority)
            .BuildMultiHost();
        await using var fromString = HostBed.Context(Verified("127.0.0.2", "127.0.0.3"));
        await using var fromUri = HostBed.Context(
            $"postgresql://postgres@localhost:{Cluster.Port(0)},127.0.0.3:{Cluster.Port(1)}/postgres?sslmode=verify-full&sslrootcert={Uri.EscapeDataString(Root)}");
        await using var fromSource = HostBed.Build(builder => builder.UseNpgsql(dataSource).UseDbRetry(RetryBed.Quick));
        CounterContext[] contexts = [fromString, fromUri, fromSource];
        var old = Cluster.PrimaryIndex;
        foreach (var context in contexts)
        {
            Assert.AreEqual(old, await EncryptedNodeAsync(context, async));
        }

        await Cluster.KillAsync(old, Cancellation);
        var work = contexts.Select(context => Task.Run(() => EncryptedNodeAsync(context, async), Cancellation)).ToArray();
        await Cluster.PromoteAsync(1 - old, Cancellation);

        foreach (var node in await Task.WhenAll(work))
        {
            Assert.AreEqual(1 - old, node);
        }

        await Cluster.RejoinAsync(old, Cancellation);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_primary_with_the_certificate_of_another_host_is_an_error_at_once_that_names_it(bool async)
    {
        var primary = Cluster.PrimaryIndex;
        string[] names = ["127.0.0.2", "127.0.0.3"];
        names[primary] = "127.0.0.1";
        await using var context = HostBed.Context(Verified(names[0], names[1]), options => options.FailoverTimeout = TimeSpan.FromHours(1));

        var error = await Assert.ThrowsExactlyAsync<NpgsqlException>(() => context.PortAsync(async, Cancellation));

        Assert.Contains($"127.0.0.1:{Cluster.Port(primary)}", error.Message);
        Assert.Contains("certificate", error.Message);
        Assert.IsInstanceOfType<AuthenticationException>(error.InnerException!.InnerException);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_standby_with_the_certificate_of_another_host_is_in_nobodys_way_who_writes(bool async)
    {
        var primary = Cluster.PrimaryIndex;
        string[] names = ["127.0.0.2", "127.0.0.3"];
        names[1 - primary] = "127.0.0.1";
        for (var i = 0; i < 4; i++)
        {
            await using var context = HostBed.Context($"{Verified(names[0], names[1])};Pooling=false;Application Name=try{i}");
            Assert.AreEqual(primary, await EncryptedNodeAsync(context, async));
        }
    }

    [TestMethod]
    [DataRow("db.test", true, false)]
    [DataRow("db.test", true, true)]
    [DataRow("other.test", false, true)]
    public async Task A_server_that_is_reached_by_an_address_of_its_name_is_verified_against_the_name(string name, bool isItsName, bool async)
    {
        StaticNames.Set(name, "127.0.0.2", "127.0.0.3");
        await using var context = HostBed.Context(
            $"Host={name};Port={Cluster.Port(Cluster.PrimaryIndex)};Username=postgres;Password=irrelevant;Database=postgres;Target Session Attributes=primary;"
                + $"SSL Mode=VerifyFull;Root Certificate={Root};Application Name={name}",
            options => options.FailoverTimeout = TimeSpan.FromHours(1),
            static builder => builder.ReplaceService<IHostNames, StaticNames>());
        if (isItsName)
        {
            Assert.AreEqual(Cluster.PrimaryIndex, await EncryptedNodeAsync(context, async));
            return;
        }

        var error = await Assert.ThrowsExactlyAsync<NpgsqlException>(() => context.PortAsync(async, Cancellation));
        Assert.Contains($":{Cluster.Port(Cluster.PrimaryIndex)} (other.test)", error.Message);
    }

    [TestMethod]
    public async Task An_authority_that_is_not_trusted_is_an_error_at_once()
    {
        using var other = new TestAuthority();
        var root = Path.Combine(_folder, "other.pem");
        await File.WriteAllTextAsync(root, other.Certificate.ExportCertificatePem(), Cancellation);
        await using var context = HostBed.Context(
            $"{Hosts("127.0.0.2", "127.0.0.3")};SSL Mode=VerifyFull;Root Certificate={root}", options => options.FailoverTimeout = TimeSpan.FromHours(1));

        var error = await Assert.ThrowsExactlyAsync<NpgsqlException>(() => context.PortAsync(async: true, Cancellation));

        Assert.Contains("127.0.0.", error.Message);
        Assert.IsInstanceOfType<AuthenticationException>(error.InnerException!.InnerException);
    }

    private static string Root => Path.Combine(_folder, "root.pem");

    private static string Verified(string first, string second) => $"{Hosts(first, second)};SSL Mode=VerifyFull;Root Certificate={Root}";

    private static string Hosts(string first, string second)
        => $"Host={first}:{Cluster.Port(0)},{second}:{Cluster.Port(1)};Username=postgres;Database=postgres";

    private async Task<int> EncryptedNodeAsync(CounterContext context, bool async)
    {
        var query = context.Database.SqlQueryRaw<int>("select case when ssl then inet_server_port() end as \"Value\" from pg_stat_ssl where pid = pg_backend_pid()");
        var port = (await query.ListAsync(async, Cancellation)).Single();
        return port == Cluster.Port(0) ? 0 : 1;
    }
}
