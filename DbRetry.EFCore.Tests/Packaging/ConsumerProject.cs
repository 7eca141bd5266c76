using System.Text.RegularExpressions;

namespace DbRetry.EFCore.Tests.Packaging;

/// <summary>An application that knows the libraries by their packages alone, outside of the source tree and of its build policy.</summary>
internal sealed partial class ConsumerProject : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dbretry-consumer-").FullName;

    public ConsumerProject(PackedFeed feed, string[] packages, string program)
    {
        var references = packages.Select(id => $"""<PackageReference Include="{id}" Version="[{feed.Package(id).Version}]" />""");
        LocalPackages.UseIn(_folder, feed);
        File.WriteAllText(Path.Combine(_folder, "Program.cs"), program);
        File.WriteAllText(
            Path.Combine(_folder, "Consumer.csproj"),
            $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <NuGetAudit>false</NuGetAudit>
              </PropertyGroup>
              <ItemGroup>
                {string.Concat(references)}
              </ItemGroup>
            </Project>
            """);
    }

    /// <returns>The ids of the warnings, each once.</returns>
    public async Task<IReadOnlyList<string>> BuildAsync(CancellationToken cancellationToken)
    {
        var output = await DotNet.RunAsync(
            _folder, ["build", "--output", "out", "--nologo", "--verbosity", "minimal", "--disable-build-servers"], cancellationToken);
        return [.. WarningId().Matches(output).Select(match => match.Groups[1].Value).Distinct().Order(StringComparer.Ordinal)];
    }

    public async Task<string> RunAsync(string argument, CancellationToken cancellationToken)
        => (await DotNet.RunAsync(_folder, ["out/Consumer.dll", argument], cancellationToken)).Trim();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [GeneratedRegex(@"warning ([A-Z]+\d+):")]
    private static partial Regex WarningId();
}
