using System.Collections.Frozen;
using System.Text.RegularExpressions;
using Npgsql;

namespace DbRetry.EFCore.Dsn;

/// <summary>What can be known about a parameter from its name alone.</summary>
internal static partial class DsnKeywords
{
    // Only asked which keywords it knows, never written to.
    private static readonly NpgsqlConnectionStringBuilder Npgsql = new();

    private static readonly FrozenSet<string> Secrets = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase, "password", "psw", "pwd", "sslpassword", "ssl password");

    private static readonly FrozenSet<string> FreeText = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase,
        [.. Secrets, "options", "application_name", "fallback_application_name", "application name", "applicationname"]);

    public static bool IsKnown(string name) => LibpqParameters.Contains(name) || IsNpgsql(name);

    public static bool IsNpgsql(string name) => Npgsql.ContainsKey(name);

    public static bool IsSecret(string name) => Secrets.Contains(name);

    public static bool IsHostList(string name) =>
        name.Equals("host", StringComparison.OrdinalIgnoreCase) || name.Equals("server", StringComparison.OrdinalIgnoreCase);

    public static bool IsPortList(string name) => name.Equals("port", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether any text is a sensible value, so that a value says nothing about the form of the DSN.</summary>
    public static bool IsFreeText(string name) => FreeText.Contains(name);

    /// <summary>Whether it reads like a keyword rather than like a piece of something else.</summary>
    public static bool LooksLikeKeyword(string name) => Keyword().IsMatch(name);

    [GeneratedRegex(@"\A[A-Za-z][A-Za-z0-9_. -]{0,39}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Keyword();
}
