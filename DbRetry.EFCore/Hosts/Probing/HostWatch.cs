namespace DbRetry.EFCore.Hosts.Probing;

/// <summary>Asks one host again and again what it is. To connect costs the server a process, a question next to nothing: so the connection is kept.</summary>
internal sealed class HostWatch(Cluster cluster, int host, TimeProvider time) : IAsyncDisposable
{
    /// <summary>For how long. An address may be that of a proxy, and new connections lead elsewhere by then.</summary>
    internal static readonly TimeSpan Kept = TimeSpan.FromMilliseconds(250);

    private IHostSession? _session;
    private HostRoute? _route;
    private long _connectedAt;

    internal async Task<HostSighting?> AskAsync(HostWaiter leader, CancellationToken connecting)
    {
        await Task.Yield(); // One that takes its time before it first awaits does not hold up the others.
        using var limit = new CancellationTokenSource(leader.Settings.HostTimeout, time);
        try
        {
            if (_session is null || _route != leader.Route || time.GetElapsedTime(_connectedAt) >= Kept)
            {
                using var either = CancellationTokenSource.CreateLinkedTokenSource(connecting, limit.Token);
                await ConnectAsync(leader.Route, either.Token).ConfigureAwait(false);
            }

            // What it has to say is of use even if those who waited are gone.
            var sighting = await _session!.AskAsync(leader.Target, leader.Settings.HostTimeout, limit.Token).ConfigureAwait(false);
            if (cluster.Hosts.Length == 1 || (_session.IsPooled && sighting is { } seen && leader.Target.Match(seen.Role) is not TargetSessionMatch.Unfit))
            {
                // One address for all servers; or somebody who was waiting goes on with that connection.
                await DisconnectAsync().ConfigureAwait(false);
            }

            return sighting;
        }
        catch
        {
            await DisconnectAsync().ConfigureAwait(false);
            throw;
        }
    }

    public ValueTask DisposeAsync() => DisconnectAsync();

    private async Task ConnectAsync(HostRoute route, CancellationToken cancellationToken)
    {
        await DisconnectAsync().ConfigureAwait(false);
        _route = route;
        _session = await route.ConnectForAllAsync(host, cancellationToken).ConfigureAwait(false);
        _connectedAt = time.GetTimestamp();
    }

    private async ValueTask DisconnectAsync()
    {
        if (_session is { } session)
        {
            _session = null;
            await session.DisposeAsync().ConfigureAwait(false);
        }
    }
}
