using System.Collections.Frozen;

namespace DbRetry.EFCore.Dsn;

/// <summary>
/// What becomes of each libpq parameter (PostgreSQL manual 34.1.2, versions 15 to 18) in an Npgsql connection string.
/// Whatever has no equal in Npgsql is accepted only where leaving it out changes nothing.
/// </summary>
internal static class LibpqParameters
{
    /// <summary>libpq name to the Npgsql keyword that takes the same value.</summary>
    public static readonly FrozenDictionary<string, string> Renamed = Table(
        ("user", "Username"),
        ("password", "Password"),
        ("dbname", "Database"),
        ("passfile", "Passfile"),
        ("application_name", "Application Name"),
        ("options", "Options"),
        ("sslcert", "SSL Certificate"),
        ("sslkey", "SSL Key"),
        ("sslpassword", "SSL Password"),
        ("krbsrvname", "Kerberos Service Name"),
        ("target_session_attrs", "Target Session Attributes"));

    /// <summary>libpq name to the Npgsql keyword and to its word for each of libpq's words (Npgsql's own words are taken too).</summary>
    public static readonly FrozenDictionary<string, (string Keyword, FrozenDictionary<string, string> Words)> Choices = Table(
        ("sslmode", ("SSL Mode", Table(
            ("disable", "Disable"), ("allow", "Allow"), ("prefer", "Prefer"), ("require", "Require"),
            ("verify-ca", "VerifyCA"), ("verify-full", "VerifyFull"), ("VerifyCA", "VerifyCA"), ("VerifyFull", "VerifyFull")))),
        ("ssl", ("SSL Mode", Table(("true", "Require")))), // JDBC's; libpq takes it in URIs, and only this value
        ("sslnegotiation", ("SSL Negotiation", Table(("postgres", "Postgres"), ("direct", "Direct")))),
        ("gssencmode", ("GSS Encryption Mode", Table(("disable", "Disable"), ("prefer", "Prefer"), ("require", "Require")))),
        ("channel_binding", ("Channel Binding", Table(("disable", "Disable"), ("prefer", "Prefer"), ("require", "Require")))),
        ("load_balance_hosts", ("Load Balance Hosts", Table(("random", "true"), ("disable", "false")))),
        ("client_encoding", ("Client Encoding", Table(("UTF8", "UTF8"), ("UTF-8", "UTF8"), ("UNICODE", "UTF8")))));

    /// <summary>libpq name to the values that ask for nothing special, and to the reason why no other is accepted.</summary>
    public static readonly FrozenDictionary<string, (string[] Harmless, string Reason)> WithoutEqual = Table(
        ("keepalives_count", (new[] { "0" }, "Npgsql cannot set the number of keepalives")),
        ("tcp_user_timeout", (["0"], "Npgsql cannot set TCP_USER_TIMEOUT")),
        ("replication", (["false", "off", "no", "0"], "replication connections run no ordinary SQL")),
        ("sslcompression", (["0"], "TLS compression is unsafe and gone")),
        ("sslcertmode", (["allow"], "Npgsql decides by itself whether to send a client certificate")),
        ("sslcrl", ([], "Npgsql reads no revocation list files; see its Check Certificate Revocation")),
        ("sslcrldir", ([], "Npgsql reads no revocation list files; see its Check Certificate Revocation")),
        ("sslsni", (["1"], ".NET always sends the server name")),
        ("sslkeylogfile", ([], "Npgsql writes no key log")),
        ("ssl_min_protocol_version", (["TLSv1.2"], ".NET leaves the TLS versions to the operating system")),
        ("ssl_max_protocol_version", ([], ".NET leaves the TLS versions to the operating system")),
        ("requirepeer", ([], "Npgsql cannot check who runs the server behind a socket")),
        ("gsslib", (["gssapi"], "Npgsql has one GSSAPI implementation")),
        ("gssdelegation", (["0"], "Npgsql cannot delegate GSSAPI credentials")),
        ("service", ([], "Npgsql reads no service files")),
        ("servicefile", ([], "Npgsql reads no service files")),
        ("min_protocol_version", (["3.0"], "Npgsql speaks protocol 3.0")),
        ("max_protocol_version", (["3.0"], "Npgsql speaks protocol 3.0")),
        ("scram_client_key", ([], "Npgsql authenticates with passwords only")),
        ("scram_server_key", ([], "Npgsql authenticates with passwords only")),
        ("oauth_issuer", ([], "Npgsql has no OAuth")),
        ("oauth_client_id", ([], "Npgsql has no OAuth")),
        ("oauth_client_secret", ([], "Npgsql has no OAuth")),
        ("oauth_scope", ([], "Npgsql has no OAuth")));

    /// <summary>Methods of <c>require_auth</c> in Npgsql's spelling, which is case-sensitive (RequireAuthMode).</summary>
    public static readonly FrozenDictionary<string, string> AuthenticationMethods = Table(
        ("password", "Password"), ("md5", "MD5"), ("gss", "GSS"), ("sspi", "SSPI"), ("scram-sha-256", "ScramSHA256"),
        ("ScramSHA256", "ScramSHA256"), ("none", "None"));

    // Those that LibpqTranslation computes.
    private static readonly FrozenSet<string> Computed = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase,
        "host", "hostaddr", "port", "connect_timeout", "fallback_application_name", "sslrootcert", "require_auth",
        "keepalives", "keepalives_idle", "keepalives_interval");

    public static bool Contains(string name) =>
        Renamed.ContainsKey(name) || Choices.ContainsKey(name) || WithoutEqual.ContainsKey(name) || Computed.Contains(name);

    /// <summary>Npgsql's word for one of libpq's.</summary>
    /// <exception cref="FormatException">It is none of the words.</exception>
    public static string Word(FrozenDictionary<string, string> words, string value, DsnParameter parameter) =>
        words.TryGetValue(value, out var word)
            ? word
            : throw DsnError.Parameter(parameter, $"must be one of {string.Join(", ", words.Keys.Order(StringComparer.Ordinal))}");

    private static FrozenDictionary<string, T> Table<T>(params (string Name, T Entry)[] rows) =>
        rows.ToFrozenDictionary(row => row.Name, row => row.Entry, StringComparer.OrdinalIgnoreCase);
}
