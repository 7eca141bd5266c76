using System.Text;

namespace DbRetry.EFCore.Dsn;

/// <summary>
/// The reader of libpq's URIs (PostgreSQL manual 34.1.1.2; fe-connect.c, <c>conninfo_uri_parse_options</c>).
/// <see cref="Uri"/> knows neither several hosts nor escaped socket directories.
/// </summary>
/// <remarks>
/// It differs from libpq in these points only. A bare <c>@</c> in the hosts or in the path is an error, because it is the
/// trace of a password with a bare <c>@</c> or <c>/</c>, a piece of which would become a host or database name and be
/// logged as such. A value of the query may hold bare equals signs. White space around the URI and the case of the scheme
/// do not matter. Hosts of the query are a list, however they are repeated; as in libpq they replace those before the path.
/// Ports in both places are an error. What a repeated parameter means is decided in <see cref="LibpqTranslation"/>.
/// </remarks>
internal static class UriDsn
{
    private static readonly string[] Schemes = ["postgresql://", "postgres://"];

    public static bool HasScheme(string text) =>
        Array.Exists(Schemes, scheme => text.AsSpan().TrimStart().StartsWith(scheme, StringComparison.OrdinalIgnoreCase));

    /// <exception cref="FormatException">The URI is malformed.</exception>
    public static List<DsnParameter> Read(string dsn)
    {
        var text = dsn.TrimEnd();
        var start = text.IndexOf("://", StringComparison.Ordinal) + 3;
        var parameters = new List<DsnParameter>();

        // libpq looks for the end of the credentials up to the first slash only.
        var at = text.AsSpan(start).IndexOfAny('@', '/');
        if (at >= 0 && text[start + at] == '@')
        {
            ReadCredentials(text, start, start + at, parameters);
            start += at + 1;
        }

        var hostsEnd = EndOfHosts(text, start);
        var queryStart = text.IndexOf('?', hostsEnd);
        var pathEnd = queryStart < 0 ? text.Length : queryStart;
        var misplaced = text.AsSpan(start, pathEnd - start).IndexOf('@');
        if (misplaced >= 0)
        {
            throw DsnError.Malformed(
                "an '@' stands where a host or a database is expected; in a user, a password, a socket name or a database, '@' is written %40 and '/' %2F",
                start + misplaced + 1);
        }

        if (pathEnd > hostsEnd + 1)
        {
            Add(parameters, "dbname", text[(hostsEnd + 1)..pathEnd], "database", hostsEnd + 2);
        }

        if (queryStart >= 0)
        {
            ReadQuery(text, queryStart + 1, parameters);
        }

        AddHosts(text, start, hostsEnd, parameters);
        return parameters;
    }

    private static void ReadCredentials(string text, int start, int end, List<DsnParameter> parameters)
    {
        var colon = text.IndexOf(':', start, end - start);
        var userEnd = colon < 0 ? end : colon;
        Add(parameters, "user", text[start..userEnd], "user", start + 1);
        if (colon >= 0)
        {
            Add(parameters, "password", text[(colon + 1)..end], "password", colon + 2);
        }
    }

    private static int EndOfHosts(string text, int start)
    {
        var end = text.AsSpan(start).IndexOfAny('/', '?');
        return end < 0 ? text.Length : start + end;
    }

    // Gathers libpq's two parallel lists, host and port.
    private static void AddHosts(string text, int start, int end, List<DsnParameter> parameters)
    {
        var hosts = new StringBuilder();
        var ports = new StringBuilder();
        var hasPort = false;
        var next = start;
        while (true)
        {
            var stop = text.IndexOf(',', next, end - next);
            stop = stop < 0 ? end : stop;
            var hostEnd = EndOfHost(text, next, stop);
            hosts.Append(text, next, hostEnd - next);
            if (hostEnd < stop)
            {
                hasPort |= stop > hostEnd + 1;
                ports.Append(text, hostEnd + 1, stop - hostEnd - 1);
            }

            if (stop == end)
            {
                break;
            }

            hosts.Append(',');
            ports.Append(',');
            next = stop + 1;
        }

        if (!parameters.Exists(parameter => parameter.Value.Length > 0 && DsnKeywords.IsHostList(parameter.Name)))
        {
            Add(parameters, "host", hosts.ToString(), "hosts", start + 1);
        }

        if (!hasPort)
        {
            return;
        }

        var other = parameters.Find(parameter => parameter.Value.Length > 0 && DsnKeywords.IsPortList(parameter.Name));
        if (other.Name is not null)
        {
            throw DsnError.Parameter(other, "gives ports that the hosts before the path give too");
        }

        Add(parameters, "port", ports.ToString(), "ports", start + 1);
    }

    private static int EndOfHost(string text, int start, int stop)
    {
        var from = start;
        if (start < stop && text[start] == '[')
        {
            var bracket = text.IndexOf(']', start, stop - start);
            if (bracket < 0)
            {
                throw DsnError.Malformed("the bracket of this IPv6 address is never closed", start + 1);
            }

            from = bracket + 1;
            if (from < stop && text[from] != ':')
            {
                throw DsnError.Malformed("only a port, a path or another host may follow an IPv6 address", from + 1);
            }
        }

        var colon = text.IndexOf(':', from, stop - from);
        return colon < 0 ? stop : colon;
    }

    private static void ReadQuery(string text, int start, List<DsnParameter> parameters)
    {
        // Where the credentials had a bare '@' or '/', the password goes on until the last '@'.
        var lastAt = text.LastIndexOf('@');
        var afterSecret = false;
        for (var next = start; next < text.Length;)
        {
            var stop = text.IndexOf('&', next);
            stop = stop < 0 ? text.Length : stop;
            var equals = text.IndexOf('=', next, stop - next);
            if (equals <= next)
            {
                throw DsnError.Malformed("a name=value pair is expected ('&' in a value is written %26)", next + 1);
            }

            var name = PercentEncoding.Decode(text[next..equals], "name of a parameter", next + 1);
            var mayBeNamed = !afterSecret && next > lastAt && DsnKeywords.LooksLikeKeyword(name);
            var value = PercentEncoding.Decode(text[(equals + 1)..stop], "value of a parameter", equals + 2);
            parameters.Add(new(name, value, next + 1, mayBeNamed));
            afterSecret |= DsnKeywords.IsSecret(name);
            next = stop + 1;
        }
    }

    private static void Add(List<DsnParameter> parameters, string name, string escaped, string what, int position)
    {
        if (escaped.Length > 0)
        {
            parameters.Add(new(name, PercentEncoding.Decode(escaped, what, position), position, mayBeNamed: true));
        }
    }
}
