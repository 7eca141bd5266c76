namespace DbRetry.Failover.Patroni;

/// <summary>Where Debian's packages put their programs.</summary>
internal static class PatroniBinaries
{
    private static readonly string[] Folders = ["/usr/bin", "/usr/local/bin", "/usr/sbin"];

    public static string? Patroni { get; } = Find("patroni");

    public static string? Etcd { get; } = Find("etcd");

    /// <summary>Null when all is there.</summary>
    public static string? Missing
        => (Patroni, Etcd) is (not null, not null) ? null : $"No patroni or no etcd in {string.Join(", ", Folders)}: run eng/ensure-patroni, or install them.";

    private static string? Find(string program) => Folders.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
}
