using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;

namespace DbRetry.EFCore.Transactions;

/// <summary>What a context tracked at one moment, and what was attached to it since, so that both can be put back.</summary>
internal sealed class TrackerSnapshot : IDisposable
{
    private readonly DbContext _context;
    private readonly List<SavedEntry> _saved = [];

    /// <summary>Entities that the application attached since, as they were when it did.</summary>
    private readonly List<SavedEntry> _attached = [];

    private TrackerSnapshot(DbContext context)
    {
        _context = context;
        if (TrackedEntry.Count(context) == 0)
        {
            return;
        }

        var isCompared = context.ChangeTracker.AutoDetectChangesEnabled;
        if (isCompared)
        {
            context.ChangeTracker.DetectChanges();
        }

        _saved.AddRange(TrackedEntry.All(context).Select(entry => new SavedEntry(entry, isCompared)));
    }

    /// <summary>Remembers what is tracked now, until it is disposed.</summary>
    internal static TrackerSnapshot Take(DbContext context)
    {
        var snapshot = new TrackerSnapshot(context);
        context.ChangeTracker.Tracking += snapshot.Tracking;
        return snapshot;
    }

    /// <summary>May be called any number of times.</summary>
    internal void Restore()
    {
        using (TrackedEntry.Quieten(_context))
        {
            DetachAll();
            foreach (var attached in _attached)
            {
                attached.WriteValues();
                attached.WriteNavigations();
            }

            foreach (var saved in _saved)
            {
                saved.WriteValues();
            }

            // Of two entities with one key EF takes only the second, and only if the first is deleted.
            foreach (var saved in _saved.OrderBy(static saved => saved.State is EntityState.Deleted ? 0 : 1))
            {
                saved.Track();
            }

            foreach (var saved in _saved)
            {
                saved.Settle();
            }
        }

        _attached.Clear();
    }

    public void Dispose() => _context.ChangeTracker.Tracking -= Tracking;

    // What was tracked since comes first, and in each part what was tracked last: a dependent goes before its principal, as far as that can be had.
    private void DetachAll()
    {
        var before = _saved.Select(static saved => saved.Entry).ToHashSet();
        foreach (var saved in _saved)
        {
            saved.Unlink();
        }

        var entries = TrackedEntry.All(_context);
        entries.Reverse();
        foreach (var entry in entries.Where(entry => !before.Contains(entry)).Concat(entries.Where(before.Contains)))
        {
            if (entry.State is not EntityState.Detached)
            {
                entry.SetState(EntityState.Detached);
            }
        }
    }

    // An entity from a query is made anew by the next one. One that the application made may be attached again.
    private void Tracking(object? sender, EntityTrackingEventArgs tracking)
    {
        if (!tracking.FromQuery)
        {
            _attached.Add(new SavedEntry(TrackedEntry.Of(tracking.Entry), isCompared: false));
        }
    }
}
