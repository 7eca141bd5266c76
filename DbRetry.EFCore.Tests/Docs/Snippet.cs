using System.Text.RegularExpressions;

namespace DbRetry.EFCore.Tests.Docs;

/// <summary>A piece of C#, in a document or in the code that is compiled.</summary>
/// <param name="Place">The file and the line.</param>
/// <param name="Text">Without the indentation that all of its lines share.</param>
internal sealed partial record Snippet(string Place, string Text)
{
    /// <summary>The fenced blocks of a document.</summary>
    public static IEnumerable<Snippet> InDocument(string file) => Between(file, DocumentBegin(), DocumentEnd());

    /// <summary>The marked regions of a source file.</summary>
    public static IEnumerable<Snippet> InSource(string file) => Between(file, SourceBegin(), SourceEnd());

    private static IEnumerable<Snippet> Between(string file, Regex begin, Regex end)
    {
        var lines = File.ReadAllLines(file);
        for (var i = 0; i < lines.Length; i++)
        {
            if (begin.IsMatch(lines[i]))
            {
                var first = i + 1;
                while (!end.IsMatch(lines[++i]))
                {
                    // An end that is missing ends in an error, as it should.
                }

                yield return new($"{Path.GetFileName(file)}:{first + 1}", Unindented(lines[first..i]));
            }
        }
    }

    private static string Unindented(string[] lines)
    {
        var indentation = lines.Where(line => line.Length > 0).Min(line => line.Length - line.TrimStart().Length);
        return string.Join('\n', lines.Select(line => line.Length == 0 ? line : line[indentation..]));
    }

    [GeneratedRegex(@"^\s*```csharp\s*$")]
    private static partial Regex DocumentBegin();

    [GeneratedRegex(@"^\s*```\s*$")]
    private static partial Regex DocumentEnd();

    [GeneratedRegex(@"^\s*// snippet: ")]
    private static partial Regex SourceBegin();

    [GeneratedRegex(@"^\s*// end snippet$")]
    private static partial Regex SourceEnd();
}
