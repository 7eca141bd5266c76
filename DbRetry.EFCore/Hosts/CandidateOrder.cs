namespace DbRetry.EFCore.Hosts;

/// <summary>Decides in which order hosts are tried.</summary>
internal static class CandidateOrder
{
    private const int Excluded = int.MaxValue;

    /// <summary>
    /// The hosts to try, best first; hosts that are equally promising come in random order, so that clients spread.
    /// A host that did not answer lately is left out while another one may serve: finding that out again would cost its whole time limit.
    /// </summary>
    internal static int[] Order(ReadOnlySpan<HostKnowledge> hosts, TargetSession target, long now, Random random)
    {
        Span<int> ranks = hosts.Length <= 64 ? stackalloc int[hosts.Length] : new int[hosts.Length];
        var included = 0;
        for (var i = 0; i < hosts.Length; i++)
        {
            ranks[i] = Rank(hosts[i], target, now);
            included += ranks[i] == Excluded ? 0 : 1;
        }

        var all = included == 0;
        var order = new int[all ? hosts.Length : included];
        for (int i = 0, next = 0; i < hosts.Length; i++)
        {
            if (all || ranks[i] != Excluded)
            {
                order[next++] = i;
            }
        }

        random.Shuffle(order);
        SortByRank(order, ranks);
        return order;
    }

    private static int Rank(HostKnowledge host, TargetSession target, long now)
    {
        if (host.IsAvoided(now))
        {
            return host.IsSilent(now) ? Excluded : 4;
        }

        // There is one primary, and once it is known nobody else needs to be asked. Standbys are several: one that is not known yet, or not any
        // more, would otherwise stay unknown and idle as long as another one serves.
        return (host.Role is { } role ? target.Match(role) : (TargetSessionMatch?)null) switch
        {
            TargetSessionMatch.Fits => 0,
            null => target.IsForPrimary() ? 1 : 0,
            TargetSessionMatch.Acceptable => 2,
            _ => 3,
        };
    }

    // A stable insertion sort: a handful of hosts, and Array.Sort would undo the shuffle among equals in an order that is not random.
    private static void SortByRank(int[] order, ReadOnlySpan<int> ranks)
    {
        for (var i = 1; i < order.Length; i++)
        {
            var host = order[i];
            var to = i;
            for (; to > 0 && ranks[order[to - 1]] > ranks[host]; to--)
            {
                order[to] = order[to - 1];
            }

            order[to] = host;
        }
    }
}
