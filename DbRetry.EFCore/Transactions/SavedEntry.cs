using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Transactions;

/// <summary>One entity and what the change tracker knew about it.</summary>
internal sealed class SavedEntry
{
    private readonly SavedComplex[] _complex;
    private readonly SavedNavigation[] _navigations;
    private readonly PlainValues _plain;
    private readonly bool _hasOriginals;
    private SavedValue[]? _values;
    private TrackedEntry _entry;

    /// <param name="entry">The entity.</param>
    /// <param name="isCompared">Whether EF has just compared it with its original values.</param>
    internal SavedEntry(TrackedEntry entry, bool isCompared)
    {
        _entry = entry;
        State = entry.State;
        _hasOriginals = entry.HasOriginals;
        var shape = SavedShape.Of(entry.Type);
        _complex = Each(shape.Complex, entry, static (property, entry) => new SavedComplex(entry, property));
        _navigations = Each(shape.Navigations, entry, static (navigation, entry) => new SavedNavigation(entry, navigation));
        if (isCompared && shape.IsPlain(entry))
        {
            _plain = entry.Values();
        }
        else
        {
            _values = Each(shape.Properties, entry, static (property, entry) => new SavedValue(entry, property));
        }
    }

    internal TrackedEntry Entry => _entry;

    internal EntityState State { get; }

    private SavedValue[] Values
        => _values ??= Each(SavedShape.Of(_entry.Type).Properties, _plain, static (property, plain) => new SavedValue(property, plain[property]));

    /// <summary>
    /// Takes the entity out of its relationships, so that EF draws no conclusions from them while entities are detached and tracked again one by one: it
    /// would null foreign keys, make join entities, and note down who refers to whom.
    /// </summary>
    internal void Unlink()
    {
        foreach (var navigation in _navigations)
        {
            navigation.Empty(_entry);
        }
    }

    /// <summary>Puts back the values. The entity must not be tracked.</summary>
    internal void WriteValues()
    {
        _entry = _entry.Usable();
        _entry.DropSubstitutes();
        foreach (var complex in _complex)
        {
            complex.Write(_entry);
        }

        foreach (var value in Values)
        {
            value.Write(_entry);
        }
    }

    /// <summary>Puts back the relationships of an entity that is not to be tracked.</summary>
    internal void WriteNavigations()
    {
        foreach (var navigation in _navigations)
        {
            navigation.Write(_entry);
        }
    }

    /// <summary>Behind <see cref="WriteValues"/>: has it tracked again.</summary>
    internal void Track()
    {
        if (_hasOriginals)
        {
            foreach (var complex in _complex)
            {
                complex.WriteOriginal(_entry);
            }

            foreach (var value in Values)
            {
                value.WriteOriginal(_entry);
            }
        }

        _entry.SetState(State);
    }

    /// <summary>Puts back the relationships, and takes back what EF changed when it tracked this and other entities again.</summary>
    internal void Settle()
    {
        if (_entry.State != State)
        {
            _entry.SetState(State);
        }

        foreach (var complex in _complex)
        {
            complex.Settle(_entry);
        }

        foreach (var value in Values)
        {
            value.Settle(_entry);
        }

        foreach (var navigation in _navigations)
        {
            navigation.Settle(_entry);
        }
    }

    // There may be very many entities: no delegate for each of them.
    private static TSaved[] Each<TProperty, TSource, TSaved>(TProperty[] properties, TSource source, Func<TProperty, TSource, TSaved> save)
    {
        if (properties.Length == 0)
        {
            return [];
        }

        var saved = new TSaved[properties.Length];
        for (var i = 0; i < saved.Length; i++)
        {
            saved[i] = save(properties[i], source);
        }

        return saved;
    }
}
