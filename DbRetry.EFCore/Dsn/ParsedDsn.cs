using System.Collections.Immutable;
using Npgsql;

namespace DbRetry.EFCore.Dsn;

/// <summary>
/// A DSN of any form, taken apart: the hosts in their order (repetitions kept), what the session should be, and everything
/// else as an Npgsql connection string without a host, from which a string for one host can be made.
/// Reads no environment: of libpq's variables Npgsql itself reads some, but neither PGHOST nor PGPORT.
/// </summary>
internal sealed class ParsedDsn
{
    private readonly NpgsqlConnectionStringBuilder _settings;

    private ParsedDsn(
        DsnFormat format,
        ImmutableArray<HostEndpoint> hosts,
        NpgsqlConnectionStringBuilder settings,
        TargetSession? targetSession,
        bool? loadBalanceHosts,
        int? hostRecheckSeconds)
    {
        Format = format;
        Hosts = hosts;
        _settings = settings;
        TargetSession = targetSession;
        LoadBalanceHosts = loadBalanceHosts;
        HostRecheckSeconds = hostRecheckSeconds;
        BaseConnectionString = settings.ConnectionString;

        // DbConnectionStringBuilder writes a value that ends with a line break without quotes, and then trims it away. Npgsql
        // copies its settings through such strings, so there is no way around it.
        if (!settings.EquivalentTo(new NpgsqlConnectionStringBuilder(BaseConnectionString)))
        {
            throw DsnError.Invalid("one of its values cannot stand in an Npgsql connection string; the known case is a line break at the end of a value");
        }
    }

    /// <summary>The form it was written in.</summary>
    public DsnFormat Format { get; }

    /// <summary>At least one, in the order of the DSN; some may repeat.</summary>
    public ImmutableArray<HostEndpoint> Hosts { get; }

    /// <summary>Null when the DSN does not say (Npgsql then looks at PGTARGETSESSIONATTRS).</summary>
    public TargetSession? TargetSession { get; }

    /// <summary>Null when the DSN does not say.</summary>
    public bool? LoadBalanceHosts { get; }

    /// <summary>Npgsql's <c>Host Recheck Seconds</c>; null when the DSN does not say.</summary>
    public int? HostRecheckSeconds { get; }

    /// <summary>Null when the DSN does not say; the server then takes the user's name.</summary>
    public string? Database => _settings.Database;

    /// <summary>Everything but the hosts and what chooses among them. Holds the password: never log it.</summary>
    public string BaseConnectionString { get; }

    /// <exception cref="FormatException">The DSN cannot be read, or cannot be honoured by Npgsql. The message quotes no value.</exception>
    public static ParsedDsn Parse(string dsn)
    {
        ArgumentNullException.ThrowIfNull(dsn);
        var nul = dsn.IndexOf('\0', StringComparison.Ordinal);
        if (nul >= 0)
        {
            throw DsnError.Malformed("a NUL character is not allowed", nul + 1);
        }

        var format = DsnFormatDetector.Detect(dsn);
        var (settings, hosts) = format switch
        {
            DsnFormat.Uri => LibpqTranslation.Translate(UriDsn.Read(dsn)),
            DsnFormat.KeyValue => LibpqTranslation.Translate(KeyValueDsn.Read(dsn)),
            DsnFormat.Npgsql => FromNpgsql(dsn),
            DsnFormat.Named => throw DsnError.Invalid("it is the name of a configured connection string, which must be looked up first"),
            _ => throw DsnError.Invalid(
                "it is neither a URI (postgresql://user@host/db), nor a libpq string (host=... dbname=...), nor an Npgsql connection string (Host=...;Database=...)"),
        };

        var targetSession = TargetSessionNames.TryParse(settings.TargetSessionAttributes, out var target) ? target : (TargetSession?)null;
        bool? loadBalanceHosts = settings.ShouldSerialize("Load Balance Hosts") ? settings.LoadBalanceHosts : null;
        int? hostRecheckSeconds = settings.ShouldSerialize("Host Recheck Seconds") ? settings.HostRecheckSeconds : null;
        foreach (var keyword in (string[])["Host", "Port", "Target Session Attributes", "Load Balance Hosts", "Host Recheck Seconds"])
        {
            settings.Remove(keyword);
        }

        return new(format, hosts, settings, targetSession, loadBalanceHosts, hostRecheckSeconds);
    }

    public static FormatException NoHost() =>
        DsnError.Invalid("it names no host; Npgsql has no default host and does not read PGHOST");

    /// <summary>The same with another database and another target session.</summary>
    public ParsedDsn With(string database, TargetSession targetSession)
    {
        var settings = new NpgsqlConnectionStringBuilder(BaseConnectionString) { Database = database };
        return new(Format, Hosts, settings, targetSession, LoadBalanceHosts, HostRecheckSeconds);
    }

    /// <summary>
    /// The Npgsql connection string for this one host, without what chooses among hosts: with a target session Npgsql
    /// refuses a single host (NpgsqlConnectionStringBuilder.PostProcessAndValidate).
    /// </summary>
    public string ForHost(HostEndpoint host)
    {
        var settings = new NpgsqlConnectionStringBuilder { Host = host.Host, Port = host.Port };
        CopyTo(settings);
        if (host.IsUnixSocket)
        {
            // libpq ignores them here (manual 34.1.2); Npgsql would set them on the socket and fail.
            settings.Remove("TCP Keepalive Time");
            settings.Remove("TCP Keepalive Interval");
        }

        return settings.ConnectionString;
    }

    /// <summary>The Npgsql connection string with all hosts and, if there are several, all that chooses among them.</summary>
    /// <exception cref="FormatException">A socket directory with a colon is among several hosts.</exception>
    public string ToConnectionString()
    {
        if (Hosts is [var host])
        {
            return ForHost(host);
        }

        var settings = new NpgsqlConnectionStringBuilder { Host = HostList.Format(Hosts) };
        if (TargetSession is { } targetSession)
        {
            settings.TargetSessionAttributes = TargetSessionNames.Format(targetSession);
        }

        if (LoadBalanceHosts is { } loadBalanceHosts)
        {
            settings.LoadBalanceHosts = loadBalanceHosts;
        }

        if (HostRecheckSeconds is { } hostRecheckSeconds)
        {
            settings.HostRecheckSeconds = hostRecheckSeconds;
        }

        CopyTo(settings);
        return settings.ConnectionString;
    }

    /// <summary>The hosts only, so that it can be logged.</summary>
    public override string ToString() => string.Join(',', Hosts);

    private static (NpgsqlConnectionStringBuilder Settings, ImmutableArray<HostEndpoint> Hosts) FromNpgsql(string dsn)
    {
        var settings = NpgsqlDsn.Read(dsn);
        return string.IsNullOrWhiteSpace(settings.Host)
            ? throw NoHost()
            : (settings, HostList.FromNpgsql(settings.Host, settings.Port));
    }

    private void CopyTo(NpgsqlConnectionStringBuilder other)
    {
        foreach (var keyword in _settings.Keys)
        {
            other[keyword] = _settings[keyword];
        }
    }
}
