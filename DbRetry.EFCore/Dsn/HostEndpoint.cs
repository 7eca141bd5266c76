using System.Globalization;

namespace DbRetry.EFCore.Dsn;

/// <summary>
/// One server address: a host name, an IP address (IPv6 without brackets) or the directory of a Unix socket
/// (rooted, or starting with <c>@</c> for Linux's abstract namespace), and a port.
/// Host names compare without regard to case, as DNS does; socket directories do not.
/// </summary>
/// <param name="Host">What to connect to.</param>
/// <param name="Port">The port.</param>
/// <param name="Name">The host name that has <paramref name="Host"/> among its addresses, if that is how it was found.</param>
internal readonly record struct HostEndpoint(string Host, int Port, string? Name = null)
{
    public const int DefaultPort = 5432;

    /// <summary>The same test as in NpgsqlConnectionStringBuilder.IsUnixSocket.</summary>
    public bool IsUnixSocket => Host.StartsWith('@') || Path.IsPathRooted(Host);

    private StringComparer Comparer => IsUnixSocket ? StringComparer.Ordinal : StringComparer.OrdinalIgnoreCase;

    public bool Equals(HostEndpoint other)
        => Port == other.Port && Comparer.Equals(Host, other.Host) && StringComparer.OrdinalIgnoreCase.Equals(Name, other.Name);

    public override int GetHashCode() => HashCode.Combine(Comparer.GetHashCode(Host), Port);

    /// <summary><c>host:port</c>, <c>[::1]:5432</c>, <c>10.0.0.1:5432 (name)</c> or the path of the socket file.</summary>
    public override string ToString() => IsUnixSocket
        ? Path.Combine(Host, string.Create(CultureInfo.InvariantCulture, $".s.PGSQL.{Port}"))
        : string.Create(CultureInfo.InvariantCulture, $"{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port}{(Name is null ? "" : $" ({Name})")}");
}
