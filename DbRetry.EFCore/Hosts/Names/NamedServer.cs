using System.Net.Security;
using Npgsql;

namespace DbRetry.EFCore.Hosts.Names;

/// <summary>A server that is connected to by one of the addresses of its name: TLS still has to ask for the name, and to find it in the certificate.</summary>
/// <remarks>Two names of one address share its pool, if their connection strings are the same otherwise; the server was verified against either.</remarks>
internal sealed class NamedServer(string name)
{
    /// <summary>For a connection to a server by its address; <see langword="null"/> for one by its name.</summary>
    internal static Action<SslClientAuthenticationOptions>? Callback(string? name) => name is null ? null : new NamedServer(name).Expect;

    /// <summary>Whether the application handles TLS on this connection itself. Npgsql takes one callback only.</summary>
    internal static bool IsHandledElsewhere(NpgsqlConnection connection)
#pragma warning disable CS0618 // The provider still sets them (NpgsqlRelationalConnection.CreateDbConnection).
        => connection.ProvideClientCertificatesCallback is not null
            || connection.UserCertificateValidationCallback is not null
#pragma warning restore CS0618
            || connection.SslClientAuthenticationOptionsCallback is { Target: not NamedServer };

    private void Expect(SslClientAuthenticationOptions options) => options.TargetHost = name;
}
