namespace DbRetry.EFCore.Testing;

/// <summary>What is planned and what has happened.</summary>
internal sealed class FaultSchedule
{
    private readonly Lock _lock = new();
    private readonly List<PlannedFault> _planned = [];
    private readonly List<DbRetryFault> _injected = [];

    internal IReadOnlyList<DbRetryFault> Injected
    {
        get
        {
            lock (_lock)
            {
                return [.. _injected];
            }
        }
    }

    internal void Add(PlannedFault fault)
    {
        lock (_lock)
        {
            _planned.Add(fault);
        }
    }

    /// <summary>The fault that is to happen here, if any; it counts as having happened.</summary>
    internal PlannedFault? Take(FaultSite site)
    {
        lock (_lock)
        {
            if (_planned.Find(fault => fault.Fits(site)) is not { } next)
            {
                return null;
            }

            next.Hits++;
            if (next.InEveryUnit)
            {
                site.Unit.Add(next);
            }

            _injected.Add(new(next.Kind, site.Statement, site.Context.GetType()));
            return next;
        }
    }

    /// <summary>What has not happened yet, in words; <see langword="null"/> if everything has.</summary>
    internal string? DescribeLeft()
    {
        lock (_lock)
        {
            var left = _planned.FindAll(fault => fault.IsLeft);
            return left.Count == 0
                ? null
                : $"Planned, and not hit: {string.Join("; ", left)}. "
                    + $"Injected: {(_injected.Count == 0 ? "nothing" : string.Join("; ", _injected))}. "
                    + "Does the context that was tested have UseDbRetryFaults(…), and did its unit come that far?";
        }
    }

    internal void Clear()
    {
        lock (_lock)
        {
            _planned.Clear();
            _injected.Clear();
        }
    }
}
