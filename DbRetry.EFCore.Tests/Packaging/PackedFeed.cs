using DbRetry.EFCore.Tests.Support;

namespace DbRetry.EFCore.Tests.Packaging;

/// <summary>The packages as <c>dotnet pack</c> makes them, from a build of its own: the one that the tests run from is left alone.</summary>
internal sealed class PackedFeed
{
    private static readonly Lazy<Task<PackedFeed>> Shared = new(CreateAsync);

    // Inside the repository, because a release build maps only what is below it.
    private readonly string _folder;

    private PackedFeed(string folder) => _folder = folder;

    public string Path => System.IO.Path.Combine(_folder, "feed");

    /// <summary>Packed once for all tests that look at it.</summary>
    public static Task<PackedFeed> SharedAsync() => Shared.Value;

    public static async Task DeleteAsync()
    {
        if (Shared is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
        {
            (await Shared.Value).Delete();
        }
    }

    public PackedPackage Package(string id) => new(id, Path);

    private static async Task<PackedFeed> CreateAsync()
    {
        var projects = SourceTree.Require("eng/packages.slnf");
        var root = System.IO.Path.GetDirectoryName(System.IO.Path.GetDirectoryName(projects))!;
        var feed = new PackedFeed(System.IO.Path.Combine(root, "artifacts", "packaging", Guid.NewGuid().ToString("N")));
        try
        {
            // The rules of the source are not asked again; those of the package are.
            await DotNet.RunAsync(
                root,
                [
                    "pack", projects, "--configuration", "Release", "--output", feed.Path,
                    "--artifacts-path", System.IO.Path.Combine(feed._folder, "build"), "--nologo", "--verbosity", "quiet", "--disable-build-servers",
                    "-p:RestoreLockedMode=true", "-p:RunAnalyzers=false", "-p:TreatWarningsAsErrors=true",
                ],
                CancellationToken.None);
            return feed;
        }
        catch
        {
            feed.Delete();
            throw;
        }
    }

    private void Delete()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }
}
