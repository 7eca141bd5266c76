using System.Reflection;
using System.Runtime.CompilerServices;

namespace DbRetry.EFCore.Tests.PublicApi;

[TestClass]
public class PublicApiTests
{
    private const string AcceptVariable = "DBRETRY_ACCEPT_API";

    [TestMethod]
    [DataRow("DbRetry.EFCore", "PublicApi.txt")]
    [DataRow("DbRetry.EFCore.HealthChecks", "PublicApi.HealthChecks.txt")]
    [DataRow("DbRetry.EFCore.Testing", "PublicApi.Testing.txt")]
    public void The_public_api_is_what_it_was(string assembly, string snapshot)
    {
        var actual = ApiListing.Of(Assembly.Load(assembly));
        if (Environment.GetEnvironmentVariable(AcceptVariable) == "1")
        {
            File.WriteAllText(SnapshotInSource(snapshot), actual);
            return;
        }

        var expected = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, nameof(PublicApi), snapshot));
        var gone = Lines(expected).Except(Lines(actual)).Select(line => "- " + line.Trim());
        var added = Lines(actual).Except(Lines(expected)).Select(line => "+ " + line.Trim());
        Assert.AreEqual(
            expected,
            actual,
            $"The public API has changed:\n{string.Join('\n', gone.Concat(added))}\n"
                + $"If that is intended, run this test with {AcceptVariable}=1, which rewrites {nameof(PublicApi)}/{snapshot}, and commit that file.");
    }

    private static string[] Lines(string text) => text.Split('\n');

    /// <summary>Not where the expected text is read from: builds with mapped paths do not know the folder of their sources.</summary>
    private static string SnapshotInSource(string snapshot, [CallerFilePath] string thisFile = "")
        => Path.Combine(Path.GetDirectoryName(thisFile)!, snapshot);
}
