using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using DbRetry.EFCore.Dsn;

namespace DbRetry.EFCore.Hosts.Names;

/// <summary>
/// The hosts of one connection string, some of which are names that may have several addresses, and other ones tomorrow. Names are resolved before the
/// first open, and again when no host is known that fits; while others serve, beside everybody's work; never while all is well.
/// </summary>
internal sealed class NamedHosts
{
    /// <summary>How long names are not resolved again while no host fits.</summary>
    internal static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);

    /// <summary>The same while some host does not answer and others do.</summary>
    internal static readonly TimeSpan LongRest = TimeSpan.FromSeconds(10);

    private readonly ImmutableArray<HostEndpoint> _written;
    private readonly string[] _names;
    private readonly IHostNames _resolver;
    private readonly TimeProvider _time;
    private readonly Func<ImmutableArray<HostEndpoint>, NamedHosts, HostRoute> _makeRoute;
    private readonly Dictionary<string, IPAddress[]> _addresses = [];
    private readonly Lock _lock = new();
    private ImmutableArray<HostEndpoint> _hosts;
    private HostRoute _route;
    private bool _isAsked;
    private long _askedAt;

    /// <param name="hosts">As the connection string has them.</param>
    /// <param name="resolver">Who resolves names.</param>
    /// <param name="time">The clock.</param>
    /// <param name="makeRoute">Makes the route to hosts that names were resolved to.</param>
    internal NamedHosts(
        ImmutableArray<HostEndpoint> hosts, IHostNames resolver, TimeProvider time, Func<ImmutableArray<HostEndpoint>, NamedHosts, HostRoute> makeRoute)
    {
        _written = _hosts = hosts;
        _names = [.. hosts.Where(HostAddresses.IsName).Select(static host => host.Host).Distinct()];
        _resolver = resolver;
        _time = time;
        _makeRoute = makeRoute;
        _route = makeRoute(hosts, this);
    }

    /// <summary>To the hosts as they are known.</summary>
    internal HostRoute Route => Volatile.Read(ref _route);

    /// <summary>To the hosts as they are now.</summary>
    internal HostRoute LookUp() => TakeTurn() ? Resolve() : Route;

    /// <inheritdoc cref="LookUp"/>
    internal ValueTask<HostRoute> LookUpAsync(CancellationToken cancellationToken) => TakeTurn() ? ResolveAsync(cancellationToken) : new(Route);

    private HostRoute Resolve()
    {
        var answers = new Dictionary<string, IPAddress[]>();
        foreach (var name in _names)
        {
            try
            {
                answers[name] = _resolver.Resolve(name);
            }
            catch (SocketException)
            {
                // What was known of it stays; connecting will tell.
            }
        }

        return Take(answers);
    }

    private async ValueTask<HostRoute> ResolveAsync(CancellationToken cancellationToken)
    {
        var answers = new Dictionary<string, IPAddress[]>();
        foreach (var name in _names)
        {
            try
            {
                answers[name] = await _resolver.ResolveAsync(name, cancellationToken).ConfigureAwait(false);
            }
            catch (SocketException)
            {
                // As above.
            }
        }

        return Take(answers);
    }

    private async Task ResolveBesideAsync()
    {
        try
        {
            await ResolveAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // Nobody asked for it. Whoever cannot go on without the answer asks himself.
        }
    }

    // At first everybody asks, since nobody could go on without the answer. Later one does, and the others use what is known; so does he while some host
    // serves, and the answer comes beside his work.
    private bool TakeTurn()
    {
        if (!Volatile.Read(ref _isAsked))
        {
            return true;
        }

        if (Need(Route) is not { } rest)
        {
            return false;
        }

        lock (_lock)
        {
            if (_time.GetElapsedTime(_askedAt) < rest)
            {
                return false;
            }

            _askedAt = _time.GetTimestamp();
        }

        if (rest == LongRest)
        {
            _ = DetachedWork.Begin(() => Task.Run(ResolveBesideAsync));
            return false;
        }

        return true;
    }

    private static TimeSpan? Need(HostRoute route)
    {
        var failing = 0;
        for (var host = 0; host < route.Cluster.Hosts.Length; host++)
        {
            failing += route.Cluster[host].AvoidUntil is null ? 0 : 1;
        }

        return failing == route.Cluster.Hosts.Length || (route.Target.IsForPrimary() && route.Cluster.Primary < 0) ? Rest
            : failing > 0 ? LongRest
            : null;
    }

    private HostRoute Take(Dictionary<string, IPAddress[]> answers)
    {
        lock (_lock)
        {
            foreach (var (name, addresses) in answers)
            {
                _addresses[name] = addresses;
            }

            var now = HostAddresses.Expand(_written, _addresses);
            if (!now.SequenceEqual(_hosts))
            {
                var next = _makeRoute(now, this);
                if (_route.Cluster.NewestTimeline is { } timeline)
                {
                    next.Cluster.Advance(timeline);
                }

                _hosts = now;
                Volatile.Write(ref _route, next);
            }

            _askedAt = _time.GetTimestamp();
            Volatile.Write(ref _isAsked, true);
            return _route;
        }
    }
}
