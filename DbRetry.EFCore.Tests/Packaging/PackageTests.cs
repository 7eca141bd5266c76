using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;
using DbRetry.EFCore.Tests.Support;

namespace DbRetry.EFCore.Tests.Packaging;

/// <summary>What people get who install the package.</summary>
[TestClass]
public class PackageTests
{
    private const string Assembly = "lib/net10.0/DbRetry.EFCore";

    // The kind of debug information that holds a source (Portable PDB format, "Embedded Source").
    private static readonly Guid EmbeddedSource = new("0E8A571B-6926-466E-B4AD-8AB04611F5FE");

    private static readonly string[] Dependencies =
    [
        "Microsoft.EntityFrameworkCore.Relational [10.0.14, 11.0.0)",
        "Microsoft.Extensions.Logging.Abstractions [10.0.14, 11.0.0)",
        "Npgsql [10.0.0, 11.0.0)",
        "Npgsql.EntityFrameworkCore.PostgreSQL [10.0.0, 11.0.0)",
    ];

    private static readonly string[] Analyzers = ["analyzers/dotnet/cs/DbRetry.EFCore.Analyzers.dll", "analyzers/dotnet/cs/DbRetry.EFCore.CodeFixes.dll"];

    private static readonly string[] Files = ["README.md", "icon.png", Assembly + ".dll", Assembly + ".xml", .. Analyzers];

    private static readonly string[] Reported = ["DBR005"];

    private static PackedLibrary? _packed;

    public required TestContext TestContext { get; set; }

    private static PackedLibrary Packed => _packed!;

    [ClassInitialize]
    public static async Task PackAsync(TestContext context) => _packed = await PackedLibrary.CreateAsync(context.CancellationToken);

    [ClassCleanup]
    public static void Remove() => _packed?.Dispose();

    [TestMethod]
    public void It_brings_EF_and_Npgsql_and_nothing_else()
    {
        var metadata = Packed.ReadMetadata();
        var dependencies = metadata.Descendants(metadata.Name.Namespace + "dependency")
            .Select(dependency => $"{(string?)dependency.Attribute("id")} {(string?)dependency.Attribute("version")}");

        CollectionAssert.AreEquivalent(Dependencies, dependencies.ToList());
    }

    [TestMethod]
    public void It_has_the_library_its_documentation_and_what_a_gallery_shows()
    {
        using var package = PackedLibrary.Open(Packed.Package);
        var files = package.Entries.Select(entry => entry.FullName).Where(IsContent).ToList();

        CollectionAssert.AreEquivalent(Files, files);
    }

    [TestMethod]
    public void It_says_what_it_is_and_under_which_license()
    {
        var metadata = Packed.ReadMetadata();
        string? Value(string name) => (string?)metadata.Element(metadata.Name.Namespace + name);

        Assert.AreEqual("DbRetry.EFCore", Value("id"));
        Assert.AreEqual("MIT", Value("license"));
        Assert.AreEqual("README.md", Value("readme"));
        Assert.AreEqual("icon.png", Value("icon"));
        Assert.IsFalse(string.IsNullOrEmpty(Value("description")));
        Assert.IsFalse(string.IsNullOrEmpty(Value("tags")));
    }

    [TestMethod]
    public void Public_members_are_documented_for_those_who_have_only_the_package()
    {
        using var content = PackedLibrary.Read(Packed.Package, Assembly + ".xml");
        var documented = XElement.Load(content).Descendants("member").Select(member => (string?)member.Attribute("name")).ToHashSet();

        var silent = typeof(DbRetryOptions).Assembly.GetExportedTypes().Select(type => "T:" + type.FullName).Where(name => !documented.Contains(name));
        Assert.IsEmpty(silent);
        Assert.Contains("P:DbRetry.EFCore.DbRetryOptions.FailoverTimeout", documented);
    }

    [TestMethod]
    public void Symbols_carry_their_sources_and_no_path_of_the_machine_that_made_them()
    {
        using var content = PackedLibrary.Read(Packed.Symbols, Assembly + ".pdb");
        using var provider = MetadataReaderProvider.FromPortablePdbStream(content);
        var symbols = provider.GetMetadataReader();

        var documents = symbols.Documents.Select(symbols.GetDocument).Select(document => symbols.GetString(document.Name)).ToList();
        Assert.IsGreaterThan(50, documents.Count);
        Assert.IsEmpty(documents.Where(name => !name.StartsWith("/_/", StringComparison.Ordinal)));

        var withSource = symbols.CustomDebugInformation.Select(symbols.GetCustomDebugInformation)
            .Count(information => symbols.GetGuid(information.Kind) == EmbeddedSource);
        Assert.HasCount(withSource, documents);
    }

    [TestMethod]
    [DataRow(Assembly + ".dll")]
    [DataRow("analyzers/dotnet/cs/DbRetry.EFCore.Analyzers.dll")]
    [DataRow("analyzers/dotnet/cs/DbRetry.EFCore.CodeFixes.dll")]
    public void Assemblies_name_no_folder_of_the_machine_that_made_them(string assembly)
    {
        using var content = PackedLibrary.Read(Packed.Package, assembly);
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
    public void Trimming_may_look_into_it()
        => Assert.Contains(
            metadata => metadata is { Key: "IsTrimmable", Value: "True" },
            typeof(DbRetryOptions).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>());

    [TestMethod]
    public async Task An_application_that_has_only_the_package_builds_and_saves()
    {
        await using var database = await TestDatabase.CreateAsync(TestContext.CancellationToken);
        using var consumer = new ConsumerProject(
            Packed,
            """
            using Microsoft.EntityFrameworkCore;

            using var shop = new ShopContext(args[0]);
            shop.Database.EnsureCreated();
            shop.Database.ExecuteInTransactionScope(() =>
            {
                shop.Orders.Add(new Order());
                shop.SaveChanges();
            });
            Console.WriteLine($"{shop.Orders.Count()} order, retries: {shop.Database.CreateExecutionStrategy().RetriesOnFailure}");

            public class Order
            {
                public int Id { get; set; }
            }

            public class ShopContext(string dsn) : DbContext
            {
                public DbSet<Order> Orders => Set<Order>();

                protected override void OnConfiguring(DbContextOptionsBuilder options) => options.UseNpgsql(dsn).UseDbRetry();

                public static DbContextOptionsBuilder Mistaken(DbContextOptionsBuilder options)
                    => options.UseNpgsql("Host=none", npgsql => npgsql.EnableRetryOnFailure()).UseDbRetry();
            }
            """);

        // The analyzers look at it, and nothing else has anything to say.
        CollectionAssert.AreEqual(Reported, (await consumer.BuildAsync(TestContext.CancellationToken)).ToList());
        Assert.AreEqual("1 order, retries: True", await consumer.RunAsync(database.ConnectionString, TestContext.CancellationToken));
    }

    private static List<string> References(string assembly)
    {
        using var content = PackedLibrary.Read(Packed.Package, assembly);
        using var image = new PEReader(content);
        var metadata = image.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(reference => metadata.GetString(metadata.GetAssemblyReference(reference).Name))];
    }

    // The rest is how a NuGet package is a package.
    private static bool IsContent(string path)
        => !path.StartsWith("_rels/", StringComparison.Ordinal)
            && !path.StartsWith("package/", StringComparison.Ordinal)
            && !path.EndsWith(".nuspec", StringComparison.Ordinal)
            && path != "[Content_Types].xml";
}
