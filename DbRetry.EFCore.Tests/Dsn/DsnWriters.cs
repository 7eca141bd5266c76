using Npgsql;

namespace DbRetry.EFCore.Tests.Dsn;

/// <summary>Writes the same facts in each form, in the variants that people use.</summary>
internal static class DsnWriters
{
    public static IEnumerable<string> All(DsnFacts facts) =>
        [UriWithAuthority(facts), UriWithQuery(facts), UriWithRepeatedHosts(facts), QuotedPairs(facts), BarePairs(facts), Npgsql(facts)];

    /// <summary>The settings that each of them must come to, other than the hosts.</summary>
    public static string Settings(DsnFacts facts) => new NpgsqlConnectionStringBuilder
    {
        Username = facts.User,
        Password = facts.Password,
        Database = facts.Database,
        ApplicationName = facts.ApplicationName,
    }.ConnectionString;

    private static string UriWithAuthority(DsnFacts facts)
    {
        var hosts = facts.Hosts.Zip(facts.Ports, (host, port) => $"{(IsIPv6(host) ? $"[{Escape(host)}]" : Escape(host))}:{port}");
        return $"postgresql://{Escape(facts.User)}:{Escape(facts.Password)}@{string.Join(',', hosts)}/{Escape(facts.Database)}?application_name={Escape(facts.ApplicationName)}";
    }

    private static string UriWithQuery(DsnFacts facts) =>
        $"postgres://?host={Escape(string.Join(',', facts.Hosts))}&port={string.Join(',', facts.Ports)}&user={Escape(facts.User)}"
        + $"&application_name={Escape(facts.ApplicationName)}&password={Escape(facts.Password)}&dbname={Escape(facts.Database)}";

    private static string UriWithRepeatedHosts(DsnFacts facts)
    {
        var hosts = string.Join('&', facts.Hosts.Zip(facts.Ports, (host, port) => $"host={Escape(host)}&port={port}"));
        return $"postgresql://{Escape(facts.User)}:{Escape(facts.Password)}@/{Escape(facts.Database)}?{hosts}&application_name={Escape(facts.ApplicationName)}";
    }

    private static string QuotedPairs(DsnFacts facts) => Pairs(facts, " = ", value => $"'{value.Replace("\\", "\\\\").Replace("'", "\\'")}'");

    private static string BarePairs(DsnFacts facts) => Pairs(
        facts, "=", value => string.Concat(value.Select(c => char.IsWhiteSpace(c) || c is '\\' or '\'' ? $"\\{c}" : $"{c}")));

    private static string Pairs(DsnFacts facts, string equals, Func<string, string> quote) => string.Join(' ', new[]
    {
        ("host", string.Join(',', facts.Hosts)), ("port", string.Join(',', facts.Ports)), ("dbname", facts.Database),
        ("user", facts.User), ("password", facts.Password), ("application_name", facts.ApplicationName),
    }.Select(pair => $"{pair.Item1}{equals}{quote(pair.Item2)}"));

    private static string Npgsql(DsnFacts facts)
    {
        var hosts = facts.Hosts.Zip(facts.Ports, (host, port) => $"{(IsIPv6(host) ? $"[{host}]" : host)}:{port}");
        var builder = new NpgsqlConnectionStringBuilder(Settings(facts));
        if (facts.Hosts.Length > 1)
        {
            builder.Host = string.Join(',', hosts);
        }
        else
        {
            (builder.Host, builder.Port) = (facts.Hosts[0], facts.Ports[0]);
        }

        return builder.ConnectionString;
    }

    private static bool IsIPv6(string host) => host.Contains(':');

    private static string Escape(string text) => Uri.EscapeDataString(text);
}
