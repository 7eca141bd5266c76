using System.Net;

namespace DbRetry.EFCore.Hosts.Names;

/// <summary>Knows the addresses of host names.</summary>
internal interface IHostNames
{
    /// <exception cref="System.Net.Sockets.SocketException">There is no such name, or nobody answers.</exception>
    IPAddress[] Resolve(string name);

    /// <inheritdoc cref="Resolve"/>
    Task<IPAddress[]> ResolveAsync(string name, CancellationToken cancellationToken);
}

/// <summary>As the operating system resolves them, which is how Npgsql does.</summary>
internal sealed class SystemHostNames : IHostNames
{
    public IPAddress[] Resolve(string name) => Dns.GetHostAddresses(name);

    public Task<IPAddress[]> ResolveAsync(string name, CancellationToken cancellationToken) => Dns.GetHostAddressesAsync(name, cancellationToken);
}
