using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Net;

namespace DbRetry.EFCore.Dsn;

/// <summary>Lists of hosts and ports, read as libpq and as Npgsql read them, and written as Npgsql reads them.</summary>
internal static class HostList
{
    private const int LargestPort = 65535;

    // A host with one of these is a piece of something else, perhaps of a password, and would be logged as a host.
    private static readonly SearchValues<char> Impossible = SearchValues.Create(" \t\r\n;=@/\\?#&'\"");

    /// <summary>Whether no part of the list, other than a socket directory, holds what no host name or address holds.</summary>
    public static bool IsPlausible(string hosts) => Array.TrueForAll(
        hosts.Split(',', StringSplitOptions.TrimEntries),
        host => new HostEndpoint(host, HostEndpoint.DefaultPort).IsUnixSocket || !host.AsSpan().ContainsAny(Impossible));

    /// <summary>
    /// By libpq's rule (PostgreSQL manual 34.1.2 under <c>port</c>): as many ports as hosts, or one for all, an empty one
    /// meaning 5432. Beyond libpq, a host may carry its own port (<c>h1:5432</c>, <c>[::1]:5432</c>), which wins over a
    /// common one. A socket directory may hold a colon, so it takes its port from the list only.
    /// </summary>
    public static ImmutableArray<HostEndpoint> FromLibpq(string hosts, string ports)
    {
        var names = hosts.Split(',', StringSplitOptions.TrimEntries);
        var numbers = ports.Split(',', StringSplitOptions.TrimEntries);
        if (numbers.Length != 1 && numbers.Length != names.Length)
        {
            throw DsnError.Invalid($"it has {numbers.Length} ports for {names.Length} hosts; as many as hosts, or one for all, are needed");
        }

        var endpoints = ImmutableArray.CreateBuilder<HostEndpoint>(names.Length);
        for (var i = 0; i < names.Length; i++)
        {
            var listed = numbers[numbers.Length == 1 ? 0 : i];
            var port = listed.Length == 0 ? HostEndpoint.DefaultPort : Port(listed, i);
            var endpoint = Endpoint(names[i], port, socketMayHavePort: false, i);
            if (numbers.Length > 1 && listed.Length > 0 && endpoint.Port != port)
            {
                throw DsnError.Invalid($"host number {i + 1} has two different ports");
            }

            endpoints.Add(endpoint);
        }

        return endpoints.MoveToImmutable();
    }

    /// <summary>
    /// By Npgsql's rule (NpgsqlConnectionStringBuilder.PostProcessAndValidate, NpgsqlMultiHostDataSource): the port of each
    /// host, else the common one; socket directories take a port after a colon only when there are several hosts.
    /// </summary>
    public static ImmutableArray<HostEndpoint> FromNpgsql(string hosts, int port)
    {
        if (port > LargestPort)
        {
            throw DsnError.Invalid($"the port is no number from 1 to {LargestPort}");
        }

        var names = hosts.Split(',', StringSplitOptions.TrimEntries);
        return [.. names.Select((name, index) => Endpoint(name, port, socketMayHavePort: names.Length > 1, index))];
    }

    /// <summary>What goes into Npgsql's <c>Host</c> when there are several, every host with its port.</summary>
    public static string Format(ImmutableArray<HostEndpoint> hosts) => string.Join(',', hosts.Select((host, index) =>
    {
        if (!host.IsUnixSocket)
        {
            return host.ToString();
        }

        // Npgsql would look for the port behind the first colon, or give up and use the common port.
        return host.Host.Contains(':', StringComparison.Ordinal)
            ? throw DsnError.Invalid($"host number {index + 1} is a socket directory with a colon, which Npgsql cannot tell from a port in a list of hosts")
            : string.Create(CultureInfo.InvariantCulture, $"{host.Host}:{host.Port}");
    }));

    private static HostEndpoint Endpoint(string text, int port, bool socketMayHavePort, int index)
    {
        if (text.Length == 0)
        {
            throw DsnError.Invalid($"host number {index + 1} is empty; Npgsql has no default host");
        }

        if (!IsPlausible(text))
        {
            throw DsnError.Invalid($"host number {index + 1} holds a character that no host name or address has");
        }

        var isSocket = new HostEndpoint(text, port).IsUnixSocket;
        var (name, own) = isSocket && !socketMayHavePort ? (text, null) : SplitPort(text);
        if (name.Length == 0)
        {
            throw DsnError.Invalid($"host number {index + 1} is empty; Npgsql has no default host");
        }

        if (!isSocket && name.AsSpan().ContainsAny('[', ':'))
        {
            name = name is ['[', .. var bracketed, ']'] ? bracketed : name;
            if (!IsIPv6(name))
            {
                throw DsnError.Invalid($"host number {index + 1} is no IPv6 address; one with a port needs brackets around the address");
            }
        }

        return new(name, own is null ? port : Port(own, index));
    }

    // Npgsql's TrySplitHostPort: an IPv6 address without brackets has two colons and hence no port.
    private static (string Name, string? Port) SplitPort(string text)
    {
        var colon = text.LastIndexOf(':');
        var bracket = text.LastIndexOf(']');
        var isSeparator = colon > bracket && text.AsSpan(bracket + 1).IndexOf(':') == colon - bracket - 1;
        return isSeparator ? (text[..colon], text[(colon + 1)..]) : (text, null);
    }

    // The zone may be the name of an interface that exists elsewhere only.
    private static bool IsIPv6(string text) =>
        text.Contains(':', StringComparison.Ordinal) && IPAddress.TryParse(text.Split('%', 2)[0], out _);

    private static int Port(string text, int index) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is >= 1 and <= LargestPort
            ? port
            : throw DsnError.Invalid($"the port of host number {index + 1} is no number from 1 to {LargestPort}");
}
