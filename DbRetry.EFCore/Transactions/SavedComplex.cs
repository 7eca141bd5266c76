using System.Collections;
using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore.Metadata;

namespace DbRetry.EFCore.Transactions;

/// <summary>One complex property of one entity, as it was. The values in it are <see cref="SavedValue"/>s, but for those in a collection.</summary>
internal readonly struct SavedComplex
{
    private readonly IComplexProperty _property;
    private readonly object? _value;
    private readonly object? _original;
    private readonly SavedList? _list;
    private readonly bool _isModified;

    internal SavedComplex(TrackedEntry entry, IComplexProperty property)
    {
        _property = property;
        _value = entry.Stored(property);
        _original = entry.HasOriginals && TrackedEntry.HasOriginal(property) ? entry.Original(property) : null;
        if (property.IsCollection)
        {
            _list = new SavedList(property.ComplexType, _value);
            _original = _original is IList original ? original.Cast<object?>().ToList() : null;
            _isModified = entry.IsModified(property);
        }
    }

    internal void Write(TrackedEntry entry)
    {
        if (!SavedValue.IsReachable(entry, _property) || _property.ClrType.IsValueType)
        {
            return;
        }

        _ = _list?.Write();
        if (!ReferenceEquals(entry.Stored(_property), _value))
        {
            entry.Store(_property, _value);
        }
    }

    internal void WriteOriginal(TrackedEntry entry)
    {
        if (TrackedEntry.HasOriginal(_property))
        {
            entry.SetOriginal(_property, _original);
        }
    }

    internal void Settle(TrackedEntry entry)
    {
        Write(entry);
        if (_isModified && !entry.IsModified(_property))
        {
            entry.MarkModified(_property);
        }
    }
}
