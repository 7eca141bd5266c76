using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore.Metadata;

namespace DbRetry.EFCore.Transactions;

/// <summary>One property of one entity, as it was.</summary>
internal readonly struct SavedValue
{
    private readonly IProperty _property;
    private readonly ValueMarks _marks;
    private readonly object? _stored;
    private readonly object? _substitute;
    private readonly object? _original;
    private readonly object? _seen;

    internal SavedValue(TrackedEntry entry, IProperty property)
    {
        _property = property;
        _marks = entry.Marks(property);
        _stored = Copy(entry.Stored(property));
        _substitute = (_marks & (ValueMarks.Temporary | ValueMarks.Generated)) != 0 ? Copy(entry.Current(property)) : null;
        _original = entry.HasOriginals && TrackedEntry.HasOriginal(property) ? Copy(entry.Original(property)) : null;
        _seen = entry.Seen(property);
    }

    /// <summary>Of an entity that nobody has changed.</summary>
    internal SavedValue(IProperty property, object? value)
    {
        _property = property;
        _stored = _original = _seen = value;
    }

    /// <summary>Into an entry that is not tracked, so that nothing follows from it.</summary>
    internal void Write(TrackedEntry entry)
    {
        if (!IsReachable(entry))
        {
            return;
        }

        Store(entry);
        entry.Substitute(_property, Copy(_substitute), _marks);
        entry.SetSeen(_property, _seen);
        if (_marks.HasFlag(ValueMarks.Unknown))
        {
            entry.MarkUnknown(_property);
        }
    }

    internal void WriteOriginal(TrackedEntry entry)
    {
        if (TrackedEntry.HasOriginal(_property))
        {
            entry.SetOriginal(_property, _original);
        }
    }

    /// <summary>Into an entry that is tracked again: takes back what EF did to it on the way, and marks it.</summary>
    internal void Settle(TrackedEntry entry)
    {
        var marks = entry.Marks(_property);
        if ((marks ^ _marks).HasFlag(ValueMarks.Modified))
        {
            entry.MarkModified(_property, _marks.HasFlag(ValueMarks.Modified));
        }

        if (!marks.HasFlag(ValueMarks.ConceptuallyNull) && _marks.HasFlag(ValueMarks.ConceptuallyNull))
        {
            entry.MarkConceptuallyNull(_property);
        }

        if (IsReachable(entry))
        {
            Store(entry);
        }
    }

    private void Store(TrackedEntry entry)
    {
        // An instance that did not change (an array, a list) stays the application's own.
        if (!_property.GetValueComparer().Equals(entry.Stored(_property), _stored))
        {
            entry.Store(_property, Copy(_stored));
        }
    }

    private object? Copy(object? value) => _property.GetValueComparer().Snapshot(value);

    private bool IsReachable(TrackedEntry entry) => IsReachable(entry, _property);

    /// <summary>Whether the complex object that a property belongs to is there, if it belongs to one.</summary>
    internal static bool IsReachable(TrackedEntry entry, IPropertyBase property)
        => property.DeclaringType is not IComplexType { ComplexProperty: var complex }
            || (IsReachable(entry, complex) && entry.Stored(complex) is not null);
}
