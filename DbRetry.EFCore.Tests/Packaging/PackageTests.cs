using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;
using DbRetry.EFCore.Tests.Support;

namespace DbRetry.EFCore.Tests.Packaging;

/// <summary>What people get who install the packages.</summary>
[TestClass]
public class PackageTests
{
    private const string Library = "DbRetry.EFCore";
    private const string HealthChecks = "DbRetry.EFCore.HealthChecks";
    private const string FaultKit = "DbRetry.EFCore.Testing";

    // The kind of debug information that holds a source (Portable PDB format, "Embedded Source").
    private static readonly Guid EmbeddedSource = new("0E8A571B-6926-466E-B4AD-8AB04611F5FE");

    private static readonly string[] Analyzers = ["analyzers/dotnet/cs/DbRetry.EFCore.Analyzers.dll", "analyzers/dotnet/cs/DbRetry.EFCore.CodeFixes.dll"];

    private static readonly string[] Reported = ["DBR005"];

    private static PackedFeed? _feed;

    public required TestContext TestContext { get; set; }

    [ClassInitialize]
    public static async Task PackAsync(TestContext context) => _feed = await PackedFeed.SharedAsync().WaitAsync(context.CancellationToken);

    [TestMethod]
    [DataRow(
        Library,
        "Microsoft.EntityFrameworkCore.Relational [10.0.14, 11.0.0)",
        "Microsoft.Extensions.Logging.Abstractions [10.0.14, 11.0.0)",
        "Npgsql [10.0.0, 11.0.0)",
        "Npgsql.EntityFrameworkCore.PostgreSQL [10.0.0, 11.0.0)")]
    [DataRow(HealthChecks, "DbRetry.EFCore [{version}]", "Microsoft.Extensions.Diagnostics.HealthChecks [10.0.14, 11.0.0)")]
    [DataRow(FaultKit, "DbRetry.EFCore [{version}]")]
    public void It_brings_what_it_needs_and_nothing_else(string id, params string[] dependencies)
        => CollectionAssert.AreEquivalent(
            dependencies.Select(dependency => dependency.Replace("{version}", Package(Library).Version)).ToList(), Package(id).ListDependencies().ToList());

    [TestMethod]
    [DataRow(Library)]
    [DataRow(HealthChecks)]
    [DataRow(FaultKit)]
    public void It_has_the_library_its_documentation_and_what_a_gallery_shows(string id)
    {
        string[] files = ["README.md", "icon.png", $"lib/net10.0/{id}.dll", $"lib/net10.0/{id}.xml", .. id == Library ? Analyzers : []];

        CollectionAssert.AreEquivalent(files, Package(id).ListFiles().ToList());
    }

    [TestMethod]
    [DataRow(Library)]
    [DataRow(HealthChecks)]
    [DataRow(FaultKit)]
    public void It_says_what_it_is_and_under_which_license(string id)
    {
        var package = Package(id);

        Assert.AreEqual(id, package.ReadMetadata("id"));
        Assert.AreEqual(Package(Library).Version, package.ReadMetadata("version"));
        Assert.AreEqual("MIT", package.ReadMetadata("license"));
        Assert.AreEqual("README.md", package.ReadMetadata("readme"));
        Assert.AreEqual("icon.png", package.ReadMetadata("icon"));
        Assert.IsFalse(string.IsNullOrEmpty(package.ReadMetadata("description")));
        Assert.IsFalse(string.IsNullOrEmpty(package.ReadMetadata("tags")));
        using var readme = new StreamReader(package.Read("README.md"));
        Assert.AreEqual($"# {id}", readme.ReadLine());
    }

    [TestMethod]
    [DataRow(Library, "P:DbRetry.EFCore.DbRetryOptions.FailoverTimeout")]
    [DataRow(HealthChecks, "T:Microsoft.Extensions.DependencyInjection.DbRetryHealthChecksBuilderExtensions")]
    [DataRow(FaultKit, "P:DbRetry.EFCore.Testing.DbRetryFaults.Injected")]
    public void Public_members_are_documented_for_those_who_have_only_the_package(string id, string one)
    {
        var package = Package(id);
        using var content = package.Read(package.Assembly + ".xml");
        var documented = XElement.Load(content).Descendants("member").Select(member => (string?)member.Attribute("name")).ToHashSet();

        var silent = Assembly.Load(id).GetExportedTypes().Select(type => "T:" + type.FullName).Where(name => !documented.Contains(name));
        Assert.IsEmpty(silent);
        Assert.Contains(one, documented);
    }

    [TestMethod]
    [DataRow(Library, "/_/DbRetry.EFCore/DbRetryOptions.cs")]
    [DataRow(HealthChecks, "/_/DbRetry.EFCore.HealthChecks/ClusterHealth.cs")]
    [DataRow(FaultKit, "/_/DbRetry.EFCore.Testing/DbRetryFaults.cs")]
    public void Symbols_carry_their_sources_and_no_path_of_the_machine_that_made_them(string id, string one)
    {
        using var content = Package(id).ReadSymbols();
        using var provider = MetadataReaderProvider.FromPortablePdbStream(content);
        var symbols = provider.GetMetadataReader();

        var documents = symbols.Documents.Select(symbols.GetDocument).Select(document => symbols.GetString(document.Name)).ToList();
        Assert.Contains(one, documents);
        Assert.IsEmpty(documents.Where(name => !name.StartsWith("/_/", StringComparison.Ordinal)));

        var withSource = symbols.CustomDebugInformation.Select(symbols.GetCustomDebugInformation)
            .Count(information => symbols.GetGuid(information.Kind) == EmbeddedSource);
        Assert.HasCount(withSource, documents);
    }

    [TestMethod]
    [DataRow(Library, "lib/net10.0/DbRetry.EFCore.dll")]
    [DataRow(Library, "analyzers/dotnet/cs/DbRetry.EFCore.Analyzers.dll")]
    [DataRow(Library, "analyzers/dotnet/cs/DbRetry.EFCore.CodeFixes.dll")]
    [DataRow(HealthChecks, "lib/net10.0/DbRetry.EFCore.HealthChecks.dll")]
    [DataRow(FaultKit, "lib/net10.0/DbRetry.EFCore.Testing.dll")]
    public void Assemblies_name_no_folder_of_the_machine_that_made_them(string id, string assembly)
    {
        using var content = Package(id).Read(assembly);
        using var image = new PEReader(content);
        var debug = image.ReadDebugDirectory();

        var entry = debug.Single(entry => entry.Type == DebugDirectoryEntryType.CodeView);
        var symbols = image.ReadCodeViewDebugDirectoryData(entry).Path;
        Assert.IsTrue(symbols.StartsWith("/_/", StringComparison.Ordinal) || symbols == Path.GetFileName(symbols), symbols);
        Assert.Contains(entry => entry.Type == DebugDirectoryEntryType.Reproducible, debug);
    }

    [TestMethod]
    public void Analyzers_need_no_more_than_a_compiler_has()
    {
        string[] compilers = ["netstandard", "Microsoft.CodeAnalysis", "Microsoft.CodeAnalysis.CSharp", "System.Collections.Immutable", "System.Memory"];
        string[] editors = [.. compilers, "Microsoft.CodeAnalysis.Workspaces", "System.Composition.AttributedModel", "DbRetry.EFCore.Analyzers"];

        Assert.IsEmpty(References(Analyzers[0]).Except(compilers));
        Assert.IsEmpty(References(Analyzers[1]).Except(editors));
    }

    [TestMethod]
    [DataRow(Library)]
    [DataRow(HealthChecks)]
    [DataRow(FaultKit)]
    public void Trimming_may_look_into_it(string id)
        => Assert.Contains(
            metadata => metadata is { Key: "IsTrimmable", Value: "True" }, Assembly.Load(id).GetCustomAttributes<AssemblyMetadataAttribute>());

    [TestMethod]
    public async Task An_application_that_has_only_the_packages_builds_saves_is_healthy_and_survives_a_fault()
    {
        await using var database = await TestDatabase.CreateAsync(TestContext.CancellationToken);
        using var consumer = new ConsumerProject(
            _feed!,
            [Library, HealthChecks, FaultKit],
            """
            using DbRetry.EFCore.Testing;
            using Microsoft.EntityFrameworkCore;
            using Microsoft.Extensions.DependencyInjection;
            using Microsoft.Extensions.Diagnostics.HealthChecks;

            var faults = new DbRetryFaults();
            var services = new ServiceCollection();
            services.AddLogging();
            services.AddDbContext<ShopContext>(options => options.UseNpgsql(args[0]).UseDbRetry().UseDbRetryFaults(faults));
            services.AddHealthChecks().AddDbRetryHealthCheck<ShopContext>();
            await using var provider = services.BuildServiceProvider();
            var shop = provider.GetRequiredService<ShopContext>();
            shop.Database.EnsureCreated();
            faults.CommitThenLoseAcknowledgement();
            shop.Database.ExecuteInTransactionScope(() =>
            {
                shop.Orders.Add(new Order());
                shop.SaveChanges();
            });
            faults.AssertAllHit();
            var health = await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync();
            Console.WriteLine($"{shop.Orders.Count()} order, {health.Status}");

            public class Order
            {
                public int Id { get; set; }
            }

            public class ShopContext(DbContextOptions<ShopContext> options) : DbContext(options)
            {
                public DbSet<Order> Orders => Set<Order>();

                public static DbContextOptionsBuilder Mistaken(DbContextOptionsBuilder options)
                    => options.UseNpgsql("Host=none", npgsql => npgsql.EnableRetryOnFailure()).UseDbRetry();
            }
            """);

        // The analyzers look at it, and nothing else has anything to say.
        CollectionAssert.AreEqual(Reported, (await consumer.BuildAsync(TestContext.CancellationToken)).ToList());
        Assert.AreEqual("1 order, Healthy", await consumer.RunAsync(database.ConnectionString, TestContext.CancellationToken));
    }

    private static PackedPackage Package(string id) => _feed!.Package(id);

    private static List<string> References(string assembly)
    {
        using var content = Package(Library).Read(assembly);
        using var image = new PEReader(content);
        var metadata = image.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(reference => metadata.GetString(metadata.GetAssemblyReference(reference).Name))];
    }
}
