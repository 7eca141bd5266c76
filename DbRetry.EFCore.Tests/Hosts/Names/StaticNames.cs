using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using DbRetry.EFCore.Hosts.Names;

namespace DbRetry.EFCore.Tests.Hosts.Names;

/// <summary>A resolver whose answers a test decides. Shared by the process, because EF makes the one that a context uses.</summary>
internal sealed class StaticNames : IHostNames
{
    private static readonly ConcurrentDictionary<string, IPAddress[]> Addresses = new();
    private int _asked;

    /// <summary>How often any name was asked for.</summary>
    public int Asked => Volatile.Read(ref _asked);

    /// <summary>Until when no answer comes.</summary>
    public Task Answers { get; set; } = Task.CompletedTask;

    public static void Set(string name, params IEnumerable<string> addresses) => Addresses[name] = [.. addresses.Select(IPAddress.Parse)];

    public static void Remove(string name) => Addresses.TryRemove(name, out _);

    public IPAddress[] Resolve(string name)
    {
        Interlocked.Increment(ref _asked);
        return Addresses.TryGetValue(name, out var addresses) ? addresses : throw new SocketException((int)SocketError.HostNotFound);
    }

    public async Task<IPAddress[]> ResolveAsync(string name, CancellationToken cancellationToken)
    {
        await Answers.WaitAsync(cancellationToken);
        return Resolve(name);
    }
}
