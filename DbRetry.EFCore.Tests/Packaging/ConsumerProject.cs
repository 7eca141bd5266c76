using System.Security;
using System.Text.RegularExpressions;

namespace DbRetry.EFCore.Tests.Packaging;

/// <summary>An application that knows the library by its package alone, outside of the source tree and of its build policy.</summary>
internal sealed partial class ConsumerProject : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dbretry-consumer-").FullName;

    public ConsumerProject(PackedLibrary library, string program)
    {
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
                <PackageReference Include="DbRetry.EFCore" Version="[{library.Version}]" />
              </ItemGroup>
            </Project>
            """);

        // Extracted into a folder of its own, so that no older package of the same version is taken and none stays behind. What it depends on is
        // in the machine's folder, where the build of the library put it.
        File.WriteAllText(
            Path.Combine(_folder, "NuGet.config"),
            $"""
            <configuration>
              <config>
                <add key="globalPackagesFolder" value="packages" />
              </config>
              <fallbackPackageFolders>
                <add key="machine" value="{SecurityElement.Escape(MachinePackages)}" />
              </fallbackPackageFolders>
              <packageSources>
                <add key="packed" value="{SecurityElement.Escape(library.Feed)}" />
              </packageSources>
            </configuration>
            """);
    }

    private static string MachinePackages =>
        Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } folder
            ? folder
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

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
