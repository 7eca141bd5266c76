using System.Text.RegularExpressions;
using DbRetry.EFCore.Tests.Support;

namespace DbRetry.EFCore.Tests.Packaging;

/// <summary>What somebody has who did what the README says: its commands run in an empty folder, its program saved.</summary>
internal sealed partial class NewApplication : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("dbretry-new-").FullName;
    private readonly string _readme;
    private string _folder;

    public NewApplication(PackedFeed feed, string readme)
    {
        _readme = readme;
        _folder = _root;
        LocalPackages.UseIn(_root, feed);

        // A newer SDK would make an application for a newer framework.
        File.Copy(SourceTree.Require("global.json"), Path.Combine(_root, "global.json"));
    }

    /// <returns>The built assembly, and what the compiler said.</returns>
    public async Task<(string Assembly, string Output)> MakeAsync(CancellationToken cancellationToken)
    {
        foreach (var command in Commands().Match(_readme).Groups[1].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            await FollowAsync(command.Split(' ', StringSplitOptions.RemoveEmptyEntries), cancellationToken);
        }

        await File.WriteAllTextAsync(Path.Combine(_folder, "Program.cs"), Program().Match(_readme).Groups[1].Value, cancellationToken);
        var output = await DotNet.RunAsync(_folder, ["build", "--output", "out", "--nologo", "--disable-build-servers"], cancellationToken);
        return (Path.Combine(_folder, "out", $"{Path.GetFileName(_folder)}.dll"), output);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private async Task FollowAsync(string[] command, CancellationToken cancellationToken)
    {
        switch (command)
        {
            case ["cd", var folder]:
                _folder = Path.Combine(_folder, folder);
                break;
            case ["dotnet", .. var arguments]:
                await DotNet.RunAsync(_folder, arguments, cancellationToken);
                break;
            default:
                Assert.Fail($"The README's command is none for a machine that has the SDK alone: {string.Join(' ', command)}");
                break;
        }
    }

    [GeneratedRegex(@"^```\n(dotnet new web .*?)^```$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Commands();

    [GeneratedRegex(@"^```csharp Program\.cs\n(.*?)^```$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Program();
}
