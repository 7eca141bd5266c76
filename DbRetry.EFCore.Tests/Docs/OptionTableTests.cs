using System.Globalization;
using System.Text.RegularExpressions;
using DbRetry.EFCore.Tests.Support;

namespace DbRetry.EFCore.Tests.Docs;

/// <summary>The README's table of options says what the code does.</summary>
[TestClass]
public sealed partial class OptionTableTests
{
    // Whose defaults are not a value but a rule.
    private static readonly string[] Ruled = [nameof(DbRetryOptions.MaxRetryCount), nameof(DbRetryOptions.TargetSession)];

    private static readonly List<(string[] Names, string Default)> Rows =
        [.. Row().Matches(Section()).Select(row => (Name().Matches(row.Groups[1].Value).Select(name => name.Groups[1].Value).ToArray(), row.Groups[2].Value))];

    // An asynchronous form is told of in the row of the synchronous one.
    private static readonly string[] Properties =
        [.. typeof(DbRetryOptions).GetProperties().Select(property => property.Name).Where(name => !name.EndsWith("Async", StringComparison.Ordinal))];

    [TestMethod]
    public void Every_option_is_listed_and_no_other()
        => CollectionAssert.AreEquivalent(Properties, Rows.SelectMany(row => row.Names).ToList());

    [TestMethod]
    public void Every_default_is_the_one_of_the_code()
    {
        var options = new DbRetryOptions();
        foreach (var (names, stated) in Rows.Where(row => !row.Names.Intersect(Ruled).Any()))
        {
            var actual = names.Select(name => Describe(typeof(DbRetryOptions).GetProperty(name)!.GetValue(options))).Distinct();
            Assert.AreEqual(string.Join(", ", actual), stated, string.Join(", ", names));
        }
    }

    private static string Section()
    {
        var readme = File.ReadAllText(SourceTree.Require("README.md"));
        var begin = readme.IndexOf("\n## Options\n", StringComparison.Ordinal);
        return readme[begin..readme.IndexOf("\n#", begin + 4, StringComparison.Ordinal)];
    }

    private static string Describe(object? value)
        => value switch
        {
            null => "none",
            TimeSpan { TotalSeconds: >= 1 and var seconds } => string.Create(CultureInfo.InvariantCulture, $"{seconds} s"),
            TimeSpan { TotalMilliseconds: var milliseconds } => string.Create(CultureInfo.InvariantCulture, $"{milliseconds} ms"),
            int number => number.ToString("N0", CultureInfo.InvariantCulture),
            bool flag => flag ? "`true`" : "`false`",
            ISet<string> { Count: 0 } => "empty",
            _ => $"`{value}`",
        };

    [GeneratedRegex(@"^\| (`\w+`(?:, `\w+`)*) \| (.*?) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"`(\w+)`")]
    private static partial Regex Name();
}
