#pragma warning disable EF1001 // The public change-tracking API cannot put a value back without EF taking that for a change.
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.ChangeTracking.Internal;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Internal;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Internal;

namespace DbRetry.EFCore.Seams;

/// <summary>What EF's change tracker knows about one value, beside the value.</summary>
[Flags]
internal enum ValueMarks
{
    None = 0,

    /// <summary>It stands in for one that the database will generate; the entity itself still holds none.</summary>
    Temporary = 1,

    /// <summary>The database generated it in a save that was not accepted yet; the entity itself does not hold it.</summary>
    Generated = 2,

    /// <summary>It is to be updated.</summary>
    Modified = 4,

    /// <summary>It is in a shadow property that nobody has set.</summary>
    Unknown = 8,

    /// <summary>It is the key of a principal that is gone, where the column takes no null.</summary>
    ConceptuallyNull = 16,
}

/// <summary>What <see cref="TrackedEntry.Values"/> copied.</summary>
internal readonly struct PlainValues(ISnapshot values)
{
    internal object? this[IProperty property] => values[property.GetOriginalValueIndex()];
}

/// <summary>EF's record of one entity, with what is needed to put it back: values as they are stored, without the events that a change raises.</summary>
/// <remarks>
/// Leans on EFCore/ChangeTracking/Internal/InternalEntryBase.cs, InternalEntityEntry.cs and StateManager.cs, by public members
/// only. Transactions/TrackerRestoreTests shows that they do what they are used for.
/// </remarks>
internal readonly record struct TrackedEntry
{
    private readonly InternalEntityEntry _entry;

    private TrackedEntry(InternalEntityEntry entry) => _entry = entry;

    internal object Entity => _entry.Entity;

    internal IEntityType Type => _entry.EntityType;

    internal EntityState State => _entry.EntityState;

    internal bool HasOriginals => _entry.HasOriginalValuesSnapshot;

    internal static TrackedEntry Of(EntityEntry entry) => new(((IInfrastructure<InternalEntityEntry>)entry).Instance);

    internal static int Count(DbContext context) => Manager(context).Count;

    internal static List<TrackedEntry> All(DbContext context)
        => [.. Manager(context).Entries.Select(static entry => new TrackedEntry(entry))];

    /// <summary>Keeps EF from deleting along and from telling the application's handlers about changes that are none, until the result is disposed.</summary>
    internal static IDisposable Quieten(DbContext context) => new Quietness(Manager(context));

    /// <summary>
    /// The same entry, unless it cannot be used again: <c>ChangeTracker.Clear()</c> made EF forget it, or it knows its complex collections by places
    /// that are not there any more.
    /// </summary>
    internal TrackedEntry Usable()
        => _entry.EntityState is EntityState.Detached && !Type.GetFlattenedComplexProperties().Any(static property => property.IsCollection)
            ? this
            : new(_entry.StateManager.GetOrCreateEntry(_entry.Entity, _entry.EntityType));

    internal void SetState(EntityState state) => _entry.SetEntityState(state, modifyProperties: false);

    /// <summary>What the entity or the shadow property holds, whatever stands in for it.</summary>
    internal object? Stored(IPropertyBase property)
        => Bag(property) is { } bag ? bag.TryGetValue(property.Name, out var value) ? value : null : _entry.ReadPropertyValue(property);

    internal void Store(IPropertyBase property, object? value)
    {
        if (Bag(property) is { } bag)
        {
            if (value is null)
            {
                bag.Remove(property.Name);
            }
            else
            {
                bag[property.Name] = value;
            }
        }
        else if (property.IsShadowProperty())
        {
            _entry.SetProperty(property, value, isMaterialization: true, setModified: false);
        }
        else
        {
            ClrMember.SetInEntity(property, _entry.Entity, value);
        }
    }

    // An entity without a class of its own, as those that join two others: what is not in it EF takes for not set, and a zero for a value.
    private IDictionary<string, object?>? Bag(IPropertyBase property)
        => property.IsIndexerProperty() ? _entry.Entity as IDictionary<string, object?> : null;

    internal object? Current(IPropertyBase property) => _entry[property];

    internal ValueMarks Marks(IProperty property)
        => (_entry.HasTemporaryValue(property) ? ValueMarks.Temporary : 0)
            | (_entry.HasStoreGeneratedValue(property) ? ValueMarks.Generated : 0)
            | (_entry.IsModified(property) ? ValueMarks.Modified : 0)
            | (_entry.IsUnknown(property) ? ValueMarks.Unknown : 0)
            | (_entry.IsConceptualNull(property) ? ValueMarks.ConceptuallyNull : 0);

    /// <summary>Forgets every value that stands in for a stored one.</summary>
    internal void DropSubstitutes()
    {
        _entry.DiscardStoreGeneratedValues();
        foreach (var property in Type.GetFlattenedProperties())
        {
            _entry.MarkAsTemporary(property, temporary: false);
        }
    }

    internal void Substitute(IProperty property, object? value, ValueMarks marks)
    {
        if (marks.HasFlag(ValueMarks.Temporary))
        {
            _entry.SetTemporaryValue(property, value, setModified: false);
        }
        else if (marks.HasFlag(ValueMarks.Generated))
        {
            _entry.SetStoreGeneratedValue(property, value, setModified: false);
        }
    }

    internal void MarkUnknown(IProperty property) => _entry.MarkUnknown(property);

    internal void MarkModified(IProperty property, bool modified) => _entry.SetPropertyModified(property, isModified: modified);

    internal void MarkConceptuallyNull(IProperty property) => _entry.HandleNullForeignKey(property);

    /// <summary>Copies of the values of all properties with an original value, as EF makes them for its own comparison: typed, and so without boxes.</summary>
    internal PlainValues Values() => new(((IRuntimeTypeBase)Type).OriginalValuesFactory(_entry));

    internal static bool HasOriginal(IPropertyBase property) => property.GetOriginalValueIndex() >= 0;

    internal object? Original(IPropertyBase property) => _entry.GetOriginalValue(property);

    internal void SetOriginal(IPropertyBase property, object? value)
    {
        _entry.EnsureOriginalValues();
        _entry.SetOriginalValue(property, value);
    }

    /// <summary>What EF last saw in a key, a foreign key or a navigation, and compares it with to find out what the application changed.</summary>
    internal object? Seen(IPropertyBase property)
        => _entry.HasRelationshipSnapshot && property.GetRelationshipIndex() >= 0 ? _entry.GetRelationshipSnapshotValue(property) : null;

    internal void SetSeen(IPropertyBase property, object? value)
    {
        if (_entry.HasRelationshipSnapshot && property.GetRelationshipIndex() >= 0)
        {
            _entry.SetRelationshipSnapshotValue(property, value);
        }
    }

    internal void SetSeen(INavigationBase collection, IEnumerable<object> seen, IReadOnlyCollection<object> toBeSeen)
    {
        foreach (var item in seen.Except(toBeSeen, ReferenceEqualityComparer.Instance).Cast<object>().ToList())
        {
            _entry.RemoveFromCollectionSnapshot(collection, item);
        }

        _entry.AddRangeToCollectionSnapshot(collection, toBeSeen);
    }

    internal void Add(INavigationBase collection, object item) => _entry.AddToCollection(collection, item, forMaterialization: true);

    internal void Remove(INavigationBase collection, object item) => _entry.RemoveFromCollection(collection, item);

    internal bool IsLoaded(INavigationBase navigation) => _entry.IsLoaded(navigation);

    internal void SetLoaded(INavigationBase navigation, bool loaded) => _entry.SetIsLoaded(navigation, loaded);

    internal bool IsModified(IComplexProperty collection) => _entry.IsModified(collection);

    internal void MarkModified(IComplexProperty collection) => _entry.SetPropertyModified(collection, isModified: true, recurse: true);

    private static IStateManager Manager(DbContext context) => context.GetDependencies().StateManager;

    private sealed class Quietness : IDisposable
    {
        private readonly IStateManager _manager;
        private readonly CascadeTiming _deletes;
        private readonly CascadeTiming _orphans;
        private readonly (EventHandler<EntityTrackingEventArgs>? Tracking, EventHandler<EntityTrackedEventArgs>? Tracked,
            EventHandler<EntityStateChangingEventArgs>? Changing, EventHandler<EntityStateChangedEventArgs>? Changed) _events;

        internal Quietness(IStateManager manager)
        {
            _manager = manager;
            _deletes = manager.CascadeDeleteTiming;
            _orphans = manager.DeleteOrphansTiming;
            _events = manager.CaptureEvents();
            manager.CascadeDeleteTiming = CascadeTiming.Never;
            manager.DeleteOrphansTiming = CascadeTiming.Never;
            manager.SetEvents(null, null, null, null);
        }

        public void Dispose()
        {
            _manager.CascadeDeleteTiming = _deletes;
            _manager.DeleteOrphansTiming = _orphans;
            _manager.SetEvents(_events.Tracking, _events.Tracked, _events.Changing, _events.Changed);
        }
    }
}
