using System.Collections;
using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore.Metadata;

namespace DbRetry.EFCore.Transactions;

/// <summary>One navigation of one entity, as it was.</summary>
internal readonly struct SavedNavigation
{
    private readonly INavigationBase _navigation;
    private readonly bool _isLoaded;

    /// <summary>The entity at the other end, or the collection of them.</summary>
    private readonly object? _value;
    private readonly object[]? _items;
    private readonly object? _seen;

    internal SavedNavigation(TrackedEntry entry, INavigationBase navigation)
    {
        _navigation = navigation;
        _isLoaded = entry.IsLoaded(navigation);
        _value = entry.Stored(navigation);
        _seen = entry.Seen(navigation);
        if (navigation.IsCollection)
        {
            _items = Items(_value);
            _seen = Items(_seen);
        }
    }

    internal void Empty(TrackedEntry entry)
    {
        if (entry.Stored(_navigation) is not { } value)
        {
            return;
        }

        if (!_navigation.IsCollection)
        {
            entry.Store(_navigation, null);
            return;
        }

        foreach (var item in Items(value))
        {
            entry.Remove(_navigation, item);
        }
    }

    internal void Write(TrackedEntry entry)
    {
        if (!ReferenceEquals(entry.Stored(_navigation), _value))
        {
            entry.Store(_navigation, _value);
        }

        if (!_navigation.IsCollection)
        {
            entry.SetSeen(_navigation, _seen);
            return;
        }

        var present = Items(_value);
        if (!present.SequenceEqual(_items!, ReferenceEqualityComparer.Instance))
        {
            foreach (var item in present)
            {
                entry.Remove(_navigation, item);
            }

            foreach (var item in _items!)
            {
                entry.Add(_navigation, item);
            }
        }

        if (entry.Seen(_navigation) is { } seen)
        {
            entry.SetSeen(_navigation, Items(seen), (object[])_seen!);
        }
    }

    /// <summary>In an entry that is tracked again.</summary>
    internal void Settle(TrackedEntry entry)
    {
        Write(entry);
        if (entry.IsLoaded(_navigation) != _isLoaded && (_isLoaded || _navigation.IsCollection || _value is null))
        {
            entry.SetLoaded(_navigation, _isLoaded);
        }
    }

    private static object[] Items(object? collection) => collection is IEnumerable items ? [.. items.Cast<object>()] : [];
}
