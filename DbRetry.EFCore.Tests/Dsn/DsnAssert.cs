using DbRetry.EFCore.Dsn;
using Npgsql;

namespace DbRetry.EFCore.Tests.Dsn;

internal static class DsnAssert
{
    /// <summary>That a DSN means what an Npgsql connection string means.</summary>
    public static void Means(string expected, string dsn) => Same(expected, PostgresDsn.ToConnectionString(dsn));

    public static void Same(string expected, string actual) =>
        Assert.AreEqual(Canonical(expected), Canonical(actual));

    public static void Rejects(string dsn, params string[] fragments)
    {
        var exception = Assert.ThrowsExactly<FormatException>(() => ParsedDsn.Parse(dsn));
        Assert.IsNull(exception.InnerException);
        foreach (var fragment in fragments)
        {
            Assert.Contains(fragment, exception.Message);
        }
    }

    public static string HostsOf(string dsn) => ParsedDsn.Parse(dsn).ToString();

    // Sorted, because the order of keywords means nothing; hosts with their ports, because Npgsql has two places for those.
    private static string Canonical(string connectionString)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString);
        var hosts = HostsOf(connectionString);
        builder.Remove("Host");
        builder.Remove("Port");
        return string.Join(';', builder.Keys.Order(StringComparer.Ordinal).Select(key => $"{key}={builder[key]}").Prepend(hosts));
    }
}
