using System.IO.Compression;
using System.Xml.Linq;
using DbRetry.EFCore.Tests.Support;

namespace DbRetry.EFCore.Tests.Packaging;

/// <summary>The package as <c>dotnet pack</c> makes it, from a build of its own: the one that the tests run from is left alone.</summary>
internal sealed class PackedLibrary : IDisposable
{
    private const string Project = "DbRetry.EFCore";

    // Inside the repository, because a release build maps only what is below it.
    private readonly string _folder;

    private PackedLibrary(string folder) => _folder = folder;

    public string Feed => Path.Combine(_folder, "feed");

    public string Package => Directory.GetFiles(Feed, "*.nupkg").Single();

    public string Symbols => Directory.GetFiles(Feed, "*.snupkg").Single();

    public string Version => Path.GetFileNameWithoutExtension(Package)[(Project.Length + 1)..];

    public static async Task<PackedLibrary> CreateAsync(CancellationToken cancellationToken)
    {
        var project = SourceTree.Require(Project);
        var packed = new PackedLibrary(Path.Combine(Path.GetDirectoryName(project)!, "artifacts", "packaging", Guid.NewGuid().ToString("N")));
        try
        {
            // The rules of the source are not asked again; those of the package are.
            await DotNet.RunAsync(
                project,
                [
                    "pack", "--configuration", "Release", "--output", packed.Feed, "--artifacts-path", Path.Combine(packed._folder, "build"),
                    "--nologo", "--verbosity", "quiet", "--disable-build-servers",
                    "-p:RestoreLockedMode=true", "-p:RunAnalyzers=false", "-p:TreatWarningsAsErrors=true",
                ],
                cancellationToken);
            return packed;
        }
        catch
        {
            packed.Dispose();
            throw;
        }
    }

    public static ZipArchive Open(string package) => ZipFile.OpenRead(package);

    public XElement ReadMetadata()
    {
        using var package = Open(Package);
        using var nuspec = package.GetEntry($"{Project}.nuspec")!.Open();
        var root = XElement.Load(nuspec);
        return root.Element(root.Name.Namespace + "metadata")!;
    }

    /// <summary>The content of a file, which readers of metadata want to move about in.</summary>
    public static MemoryStream Read(string package, string path)
    {
        using var archive = Open(package);
        using var entry = archive.GetEntry(path)!.Open();
        var content = new MemoryStream();
        entry.CopyTo(content);
        content.Position = 0;
        return content;
    }

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }
}
