using System.Security;

namespace DbRetry.EFCore.Tests.Packaging;

/// <summary>Restores from a feed, and what that depends on from the machine's folder, where the build of the solution put it.</summary>
internal static class LocalPackages
{
    private static string Machine =>
        Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } folder
            ? folder
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    /// <summary>The projects below the folder know no other source.</summary>
    /// <remarks>
    /// Packages are extracted into a folder of their own, so that no older one of the same version is taken and none stays behind. The machine's folder is a
    /// source as well, for those who ask for the latest version of something.
    /// </remarks>
    public static void UseIn(string folder, PackedFeed feed)
        => File.WriteAllText(
            Path.Combine(folder, "NuGet.config"),
            $"""
            <configuration>
              <config>
                <add key="globalPackagesFolder" value="packages" />
              </config>
              <fallbackPackageFolders>
                <add key="machine" value="{SecurityElement.Escape(Machine)}" />
              </fallbackPackageFolders>
              <packageSources>
                <clear />
                <add key="packed" value="{SecurityElement.Escape(feed.Path)}" />
                <add key="machine" value="{SecurityElement.Escape(Machine)}" />
              </packageSources>
            </configuration>
            """);
}
