using System.Text.RegularExpressions;

namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>The folder with <c>initdb</c>, <c>postgres</c> and, if there, <c>pg_rewind</c> of one PostgreSQL version.</summary>
internal sealed partial class PostgresBinaries
{
    /// <summary>Names a folder with <c>initdb</c> and <c>postgres</c> that wins over everything that is installed.</summary>
    public const string FolderVariable = "DBRETRY_PG_BIN";

    private static readonly string[] UsualFolders =
    [
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql@*/bin",
        "/usr/local/opt/postgresql@*/bin",
        "/Applications/Postgres.app/Contents/Versions/*/bin",
        "/usr/local/pgsql/bin",
    ];

    private PostgresBinaries(string folder, string version)
    {
        Folder = folder;
        Version = version;
        Major = int.Parse(LeadingNumber().Match(version).Value);
    }

    public string Folder { get; }

    /// <summary>As the server names it: <c>15.18 (Debian 15.18-0+deb12u1)</c>.</summary>
    public string Version { get; }

    public int Major { get; }

    public string Postgres => Path.Combine(Folder, "postgres");

    public string InitDb => Path.Combine(Folder, "initdb");

    public string? PgRewind => Path.Combine(Folder, "pg_rewind") is var path && File.Exists(path) ? path : null;

    public static async Task<PostgresBinaries> FindAsync(CancellationToken cancellationToken = default)
    {
        var folder = Locate();
        var (exitCode, output) = await ServerTool.TryRunAsync(Path.Combine(folder, "postgres"), ["--version"], cancellationToken);
        return VersionAnswer().Match(output) is { Success: true } match
            ? new PostgresBinaries(folder, match.Groups[1].Value)
            : throw new InvalidOperationException($"'{folder}/postgres --version' exited with {exitCode} and said: {output}");
    }

    private static string Locate()
    {
        if (Environment.GetEnvironmentVariable(FolderVariable) is { Length: > 0 } named)
        {
            return HasServer(named)
                ? named
                : throw new InvalidOperationException($"{FolderVariable} names '{named}', which has no initdb and postgres.");
        }
        return UsualFolders.SelectMany(Expand).Where(HasServer).MaxBy(NumberInPath)
            ?? PathFolders().FirstOrDefault(HasServer)
            ?? throw new InvalidOperationException(
                $"No PostgreSQL server was found: not by {FolderVariable} (unset), not in {string.Join(", ", UsualFolders)}, "
                + "and not on PATH. Install one (apt-get install postgresql), or set the variable to a folder with initdb and postgres.");
    }

    private static IEnumerable<string> Expand(string pattern)
    {
        var star = pattern.IndexOf('*');
        if (star < 0)
        {
            return [pattern];
        }
        var parent = pattern[..(pattern.LastIndexOf('/', star) + 1)];
        var (name, rest) = pattern[parent.Length..].Split('/', 2) is [var first, var second] ? (first, second) : (pattern, "");
        return Directory.Exists(parent)
            ? Directory.EnumerateDirectories(parent, name).Select(folder => Path.Combine(folder, rest))
            : [];
    }

    // postgres on PATH may be a link into a versioned folder where initdb is its neighbour.
    private static IEnumerable<string> PathFolders() =>
        from folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        let program = Path.Combine(folder, "postgres")
        where File.Exists(program)
        select Path.GetDirectoryName(File.ResolveLinkTarget(program, returnFinalTarget: true)?.FullName ?? program);

    private static bool HasServer(string folder) =>
        File.Exists(Path.Combine(folder, "initdb")) && File.Exists(Path.Combine(folder, "postgres"));

    private static double NumberInPath(string folder) =>
        AnyNumber().Match(folder) is { Success: true } match ? double.Parse(match.Value) : 0;

    [GeneratedRegex(@"\(PostgreSQL\) (\d.*)")]
    private static partial Regex VersionAnswer();

    [GeneratedRegex(@"^\d+")]
    private static partial Regex LeadingNumber();

    [GeneratedRegex(@"\d+(\.\d+)?")]
    private static partial Regex AnyNumber();
}
