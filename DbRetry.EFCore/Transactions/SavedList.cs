using System.Collections;
using Microsoft.EntityFrameworkCore.Metadata;

namespace DbRetry.EFCore.Transactions;

/// <summary>A complex collection, as it was, with the elements as they were.</summary>
internal sealed class SavedList
{
    private readonly IList? _list;
    private readonly object?[] _items;
    private readonly SavedObject[] _contents;

    internal SavedList(IComplexType type, object? list)
    {
        _list = (IList?)list;
        _items = _list is null ? [] : [.. _list.Cast<object?>()];
        _contents = [.. _items.OfType<object>().Select(item => new SavedObject(type, item))];
    }

    /// <summary>The list itself, as it was.</summary>
    internal IList? Write()
    {
        foreach (var content in _contents)
        {
            content.Write();
        }

        if (_list is not null && !_list.Cast<object?>().SequenceEqual(_items, ReferenceEqualityComparer.Instance))
        {
            _list.Clear();
            foreach (var item in _items)
            {
                _list.Add(item);
            }
        }

        return _list;
    }
}
