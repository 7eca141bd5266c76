using System.IO.Compression;
using System.Xml.Linq;

namespace DbRetry.EFCore.Tests.Packaging;

/// <summary>One package of a feed, and its symbols.</summary>
internal sealed class PackedPackage(string id, string feed)
{
    public string Version => Path.GetFileNameWithoutExtension(Package)[(id.Length + 1)..];

    public string Assembly => $"lib/net10.0/{id}";

    // An id is the beginning of others; a version begins with a digit.
    private string Package => Directory.GetFiles(feed, $"{id}.*.nupkg").Single(file => char.IsAsciiDigit(Path.GetFileName(file)[id.Length + 1]));

    private string Symbols => Path.ChangeExtension(Package, ".snupkg");

    /// <summary>What is in it, but for what makes any NuGet package one.</summary>
    public IReadOnlyList<string> ListFiles()
    {
        using var archive = ZipFile.OpenRead(Package);
        return [.. archive.Entries.Select(entry => entry.FullName).Where(IsContent)];
    }

    public MemoryStream Read(string path) => Read(Package, path);

    public MemoryStream ReadSymbols() => Read(Symbols, Assembly + ".pdb");

    public string? ReadMetadata(string element)
    {
        var metadata = ReadMetadata();
        return (string?)metadata.Element(metadata.Name.Namespace + element);
    }

    /// <returns>Ids and versions.</returns>
    public IReadOnlyList<string> ListDependencies()
    {
        var metadata = ReadMetadata();
        return [.. metadata.Descendants(metadata.Name.Namespace + "dependency")
            .Select(dependency => $"{(string?)dependency.Attribute("id")} {(string?)dependency.Attribute("version")}")];
    }

    private static bool IsContent(string path)
        => !path.StartsWith("_rels/", StringComparison.Ordinal)
            && !path.StartsWith("package/", StringComparison.Ordinal)
            && !path.EndsWith(".nuspec", StringComparison.Ordinal)
            && path != "[Content_Types].xml";

    // Readers of metadata want to move about in it.
    private static MemoryStream Read(string package, string path)
    {
        using var archive = ZipFile.OpenRead(package);
        using var entry = archive.GetEntry(path)!.Open();
        var content = new MemoryStream();
        entry.CopyTo(content);
        content.Position = 0;
        return content;
    }

    private XElement ReadMetadata()
    {
        using var nuspec = Read($"{id}.nuspec");
        var root = XElement.Load(nuspec);
        return root.Element(root.Name.Namespace + "metadata")!;
    }
}
