using DbRetry.EFCore.Dsn;

namespace DbRetry.EFCore;

/// <summary>
/// Reads the DSNs that people have and writes Npgsql connection strings. Three forms are understood everywhere:
/// <list type="bullet">
/// <item><description>libpq URIs, <c>postgresql://user:password@host1:5432,host2/database?sslmode=require</c> (PostgreSQL manual
/// 34.1.1.2), where hosts may also be a repeated query parameter: <c>postgresql://user@/database?host=h1&amp;host=h2:5433</c>;</description></item>
/// <item><description>libpq keyword/value strings, <c>host=h1,h2 port=5432 dbname=database password='it\'s'</c> (manual 34.1.1.1);</description></item>
/// <item><description>Npgsql connection strings, <c>Host=h1,h2;Database=database;Username=user</c>.</description></item>
/// </list>
/// </summary>
/// <remarks>
/// <para>In the two libpq forms, each libpq parameter (manual 34.1.2) becomes the Npgsql keyword of the same meaning, and Npgsql's own keywords are
/// taken as they are (<c>?Pooling=false</c>). Nothing is dropped silently: a parameter that is unknown, or that Npgsql cannot
/// honour, is an error unless its value asks for nothing special. A parameter given twice with different values is an error;
/// repeated <c>host</c> and <c>port</c> parameters form lists, and hosts in a URI's query replace those before its path.</para>
/// <para>A host is needed: Npgsql has no default host and does not read PGHOST, PGPORT or PGDATABASE.</para>
/// <para>No exception quotes a value of the DSN, because any value may be a misplaced password.</para>
/// </remarks>
public static class PostgresDsn
{
    /// <summary>
    /// Translates a DSN of any form into an Npgsql connection string. A valid Npgsql connection string comes back as it is.
    /// </summary>
    /// <remarks>
    /// With a single host, a target session is left out of the result (also of an Npgsql connection string), because
    /// Npgsql refuses it there; <c>UseDbRetry</c> reads it from the DSN itself.
    /// </remarks>
    /// <param name="dsn">The DSN. EF Core's <c>Name=...</c> must have been resolved before.</param>
    /// <returns>A connection string that Npgsql accepts. It holds the password.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="dsn"/> is null.</exception>
    /// <exception cref="FormatException">The DSN is malformed, names no host, or asks for what Npgsql cannot do.</exception>
    public static string ToConnectionString(string dsn)
    {
        var parsed = ParsedDsn.Parse(dsn);
        var isAcceptable = parsed.Hosts.Length > 1 || parsed.TargetSession is null or TargetSession.Any;
        return parsed.Format == DsnFormat.Npgsql && isAcceptable ? dsn : parsed.ToConnectionString();
    }

    /// <summary>
    /// Fills a DSN template: puts <paramref name="database"/> in place of the DSN's database, and sets the target session
    /// to read-write or, for replicas, to prefer-standby, whatever the DSN says.
    /// </summary>
    /// <remarks>The target session is left out when there is a single host, because Npgsql refuses it there.</remarks>
    /// <param name="dsn">The DSN, in any form, with or without a database.</param>
    /// <param name="database">The name of the database, not encoded in any way.</param>
    /// <param name="useReplica">Whether a standby is wanted, if there is one. Default: false, a server that takes writes.</param>
    /// <returns>A connection string that Npgsql accepts. It holds the password.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="database"/> is blank.</exception>
    /// <exception cref="FormatException">The DSN is malformed, names no host, or asks for what Npgsql cannot do.</exception>
    public static string Build(string dsn, string database, bool useReplica = false)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(database);
        return ParsedDsn.Parse(dsn)
            .With(database, useReplica ? TargetSession.PreferStandby : TargetSession.ReadWrite)
            .ToConnectionString();
    }

    /// <summary>Whether a DSN names more than one host, counting repetitions as Npgsql does.</summary>
    /// <param name="dsn">The DSN, in any form.</param>
    /// <returns>True when it names at least two.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="dsn"/> is null.</exception>
    /// <exception cref="FormatException">The DSN is malformed, names no host, or asks for what Npgsql cannot do.</exception>
    public static bool IsMultiHost(string dsn) => ParsedDsn.Parse(dsn).Hosts.Length > 1;
}
