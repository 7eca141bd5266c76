using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace DbRetry.EFCore.Transactions;

/// <summary>One entity and what the change tracker knew about it.</summary>
internal sealed class SavedEntry
{
    private readonly SavedComplex[] _complex;
    private readonly SavedValue[] _values;
    private readonly SavedNavigation[] _navigations;
    private readonly bool _hasOriginals;
    private TrackedEntry _entry;

    internal SavedEntry(TrackedEntry entry)
    {
        _entry = entry;
        State = entry.State;
        _hasOriginals = entry.HasOriginals;
        _complex = [.. entry.Type.GetFlattenedComplexProperties().Select(property => new SavedComplex(entry, property))];
        _values = [.. entry.Type.GetFlattenedProperties().Select(property => new SavedValue(entry, property))];
        _navigations = [.. Navigations(entry).Select(navigation => new SavedNavigation(entry, navigation))];
    }

    internal TrackedEntry Entry => _entry;

    internal EntityState State { get; }

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

        foreach (var value in _values)
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

            foreach (var value in _values)
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

        foreach (var value in _values)
        {
            value.Settle(_entry);
        }

        foreach (var navigation in _navigations)
        {
            navigation.Settle(_entry);
        }
    }

    private static IEnumerable<INavigationBase> Navigations(TrackedEntry entry)
        => entry.Type.GetNavigations().Cast<INavigationBase>().Concat(entry.Type.GetSkipNavigations());
}
