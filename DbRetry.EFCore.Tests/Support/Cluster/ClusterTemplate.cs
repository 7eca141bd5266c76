using System.Security.Cryptography;
using System.Text;

namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>
/// A data folder fresh from initdb, kept for each version of the binaries and each system: copying it takes a tenth of the time of another initdb.
/// </summary>
internal static class ClusterTemplate
{
    /// <summary>The file beside the data folder that holds the settings of one node.</summary>
    public const string SettingsFile = "settings.conf";

    private static readonly TimeSpan CreationLimit = TimeSpan.FromSeconds(60);

    public static async Task<string> GetAsync(PostgresBinaries binaries, string system, CancellationToken cancellationToken)
    {
        var key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{binaries.Folder} {binaries.Version}{system}")))[..12];
        var folder = Path.Combine(ClusterRoot.Path, $"template-{binaries.Major}-{key}");
        if (Directory.Exists(folder))
        {
            return folder;
        }
        FileStream? held = null;
        await Poll.UntilAsync(
            () => (held = ClusterRoot.TryLock($"template-{key}.lock")) is not null,
            CreationLimit,
            () => $"another process still holds the lock to create {folder}",
            cancellationToken);
        await using (held)
        {
            if (!Directory.Exists(folder))
            {
                await CreateAsync(binaries, folder, cancellationToken);
            }
        }
        return folder;
    }

    /// <summary>Copies a data folder with its owner and modes. Anything already at the target must be gone.</summary>
    public static Task CopyAsync(string source, string target, CancellationToken cancellationToken) =>
        ServerTool.RunAsync("cp", ["-a", source, target], cancellationToken);

    private static async Task CreateAsync(PostgresBinaries binaries, string folder, CancellationToken cancellationToken)
    {
        var unfinished = folder + ".unfinished";
        if (Directory.Exists(unfinished))
        {
            Directory.Delete(unfinished, recursive: true);
        }
        Directory.CreateDirectory(unfinished);
        ServerAccount.Current.Own(unfinished);
        var locale = OperatingSystem.IsLinux() ? "C.UTF-8" : "C";
        await ServerTool.RunAsync(
            binaries.InitDb,
            ["-D", unfinished, "-U", "postgres", "-A", "trust", "--no-sync", $"--locale={locale}", "-E", "UTF8"],
            cancellationToken);

        // Settings live beside the data folder: pg_rewind and copies of a whole data folder then bring this one line only,
        // which is the same on every node.
        await File.WriteAllTextAsync(Path.Combine(unfinished, "postgresql.conf"), $"include '../{SettingsFile}'\n", cancellationToken);
        Directory.Move(unfinished, folder);
    }
}
