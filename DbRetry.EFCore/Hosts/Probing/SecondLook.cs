namespace DbRetry.EFCore.Hosts.Probing;

/// <summary>
/// One connection to a host that did not answer lately, or that was the primary once, beside everybody's work: if it serves now, it has its share again.
/// </summary>
internal static class SecondLook
{
    /// <summary>Begins those looks that are due.</summary>
    /// <returns>The hosts that may serve meanwhile: not those that may keep their caller waiting for nothing, if there are others.</returns>
    internal static int[] Beside(int[] hosts, HostRoute route, TargetSession target, TimeSpan limit, TimeProvider time)
    {
        if (!route.CanProbe)
        {
            return hosts;
        }

        var now = time.GetTimestamp();
        var due = 0;
        foreach (var host in hosts)
        {
            due += route.Cluster[host].IsDue(now) ? 1 : 0;
            if (target.IsForStandby() && route.Cluster.TakeLookAtFormerPrimary(host, time))
            {
                Begin(route, host, limit);
            }
        }

        if (due == 0 || due == hosts.Length)
        {
            return hosts;
        }

        var others = new List<int>(hosts.Length);
        foreach (var host in hosts)
        {
            if (!route.Cluster[host].IsDue(now))
            {
                others.Add(host);
            }
            else if (route.Cluster.Trying(host, time))
            {
                Begin(route, host, limit);
            }
        }

        return [.. others];
    }

    private static void Begin(HostRoute route, int host, TimeSpan limit) => _ = DetachedWork.Begin(() => Task.Run(() => LookAsync(route, host, limit)));

    private static async Task LookAsync(HostRoute route, int host, TimeSpan limit)
    {
        try
        {
            // For this target every host tells its role.
            if (await route.ProbeAsync(host, TargetSession.PreferStandby, limit, CancellationToken.None).ConfigureAwait(false) is { } seen)
            {
                route.Cluster.Saw(host, seen);
            }
        }
        catch (Exception)
        {
            // It goes on to be avoided; the next look is due when that has passed.
        }
    }
}
