using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace DbRetry.EFCore.Tests.Docs;

/// <summary>The C# in the documents is code that the tests run, and their links lead somewhere.</summary>
/// <remarks>A snippet is marked in the code by two comments, <c>// snippet: name</c> and <c>// end snippet</c>, and shown verbatim in a document.</remarks>
[TestClass]
public sealed partial class DocumentTests
{
    // What the analyzers report is shown there; their own tests compile it.
    private const string Reported = "analyzers.md";

    private static string Root { get; } = RepositoryRoot();

    private static IEnumerable<string> Documents =>
        Directory.EnumerateFiles(Root, "*.md")
            .Concat(Directory.EnumerateFiles(Path.Combine(Root, "docs"), "*.md", SearchOption.AllDirectories))
            .Concat(Directory.EnumerateDirectories(Root, "DbRetry.EFCore*").SelectMany(project => Directory.EnumerateFiles(project, "README.md")));

    // Each of these is a test method, and the sample runs as a whole (SampleTests).
    private static IEnumerable<string> Sources =>
        Directory.EnumerateFiles(Path.Combine(Root, "DbRetry.EFCore.Tests", "Docs"), "*Snippets.cs")
            .Concat(Directory.EnumerateFiles(Path.Combine(Root, "eng", "Sample"), "*.cs"));

    [TestMethod]
    public void Each_snippet_of_a_document_is_in_the_code_that_the_tests_run()
    {
        var code = Sources.SelectMany(Snippet.InSource).Select(snippet => snippet.Text).ToHashSet();
        var unknown = Documents.Where(document => Path.GetFileName(document) != Reported).SelectMany(Snippet.InDocument)
            .Where(snippet => !code.Contains(snippet.Text)).ToList();

        Assert.IsEmpty(unknown, string.Join("\n\n", unknown.Select(snippet => $"{snippet.Place}\n{snippet.Text}")));
    }

    [TestMethod]
    public void Each_snippet_in_the_code_is_in_a_document()
    {
        var shown = Documents.SelectMany(Snippet.InDocument).Select(snippet => snippet.Text).ToHashSet();
        var orphans = Sources.SelectMany(Snippet.InSource).Where(snippet => !shown.Contains(snippet.Text)).Select(snippet => snippet.Place).ToList();

        Assert.IsEmpty(orphans, string.Join(", ", orphans));
        Assert.IsGreaterThan(20, shown.Count);
    }

    [TestMethod]
    public void Each_snippet_in_the_tests_runs_against_a_server()
    {
        foreach (var file in Sources.Where(file => file.EndsWith("Snippets.cs", StringComparison.Ordinal)))
        {
            var members = Member().Split(File.ReadAllText(file)).Where(member => member.Contains("// snippet: "));
            foreach (var member in members)
            {
                Assert.IsTrue(
                    member.Contains("[TestMethod]") && member.Contains("await using var shop = await ShopBed.CreateAsync(Cancellation);"),
                    $"{Path.GetFileName(file)}: a snippet in\n{member}");
            }
        }
    }

    // Such a block is no snippet: Packaging/NewApplicationTests builds and runs it.
    [TestMethod]
    public void A_whole_program_is_in_the_readme_only_and_once()
    {
        var programs = Documents
            .SelectMany(document => Program().Matches(File.ReadAllText(document)).Select(_ => Path.GetRelativePath(Root, document)))
            .ToList();

        CollectionAssert.AreEqual(new[] { "README.md" }, programs);
    }

    [TestMethod]
    public void Each_link_leads_to_a_file()
    {
        var broken = new List<string>();
        foreach (var document in Documents)
        {
            foreach (Match link in Link().Matches(File.ReadAllText(document)))
            {
                var target = link.Groups[1].Value;
                if (!target.Contains("://") && !Path.Exists(Path.Combine(Path.GetDirectoryName(document)!, target)))
                {
                    broken.Add($"{Path.GetFileName(document)}: {target}");
                }
            }
        }

        Assert.IsEmpty(broken, string.Join(", ", broken));
    }

    [TestMethod]
    public void Each_guide_is_reached_from_the_readme_or_from_the_list_of_decisions()
    {
        var linked = new[] { Path.Combine(Root, "README.md"), Path.Combine(Root, "docs", "decisions", "README.md") }
            .SelectMany(list => Link().Matches(File.ReadAllText(list))
                .Select(link => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(list)!, link.Groups[1].Value))))
            .ToHashSet();
        var hidden = Directory.EnumerateFiles(Path.Combine(Root, "docs"), "*.md", SearchOption.AllDirectories)
            .Where(file => !linked.Contains(file))
            .ToList();

        Assert.IsEmpty(hidden, string.Join(", ", hidden));
    }

    private static string RepositoryRoot([CallerFilePath] string thisFile = "")
    {
        // Builds with mapped paths do not know the folder of their sources, but their output lies in the repository.
        var folder = new DirectoryInfo(File.Exists(thisFile) ? Path.GetDirectoryName(thisFile)! : AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "DbRetry.sln")))
        {
            folder = folder.Parent!;
        }

        return folder.FullName;
    }

    [GeneratedRegex(@"(?<=^    }$\n)", RegexOptions.Multiline)]
    private static partial Regex Member();

    [GeneratedRegex(@"^\s*```csharp +\S", RegexOptions.Multiline)]
    private static partial Regex Program();

    [GeneratedRegex(@"\]\(([\w./:-]+)(?:#[^)]*)?\)")]
    private static partial Regex Link();
}
