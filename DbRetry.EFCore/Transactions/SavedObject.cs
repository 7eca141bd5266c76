using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore.Metadata;

namespace DbRetry.EFCore.Transactions;

/// <summary>An element of a complex collection, as it was: the change tracker of its entity knows it only by its place.</summary>
internal sealed class SavedObject
{
    private readonly object _instance;
    private readonly (IProperty Property, object? Value)[] _values;
    private readonly (IComplexProperty Property, object? Value, SavedObject? Content)[] _complex;
    private readonly (IComplexProperty Property, SavedList List)[] _collections;

    internal SavedObject(IComplexType type, object instance)
    {
        _instance = instance;
        _values = [.. type.GetProperties().Select(property => (property, Copy(property, ClrMember.Get(property, instance))))];
        var complex = type.GetComplexProperties().ToLookup(static property => property.IsCollection);
        _collections = [.. complex[true].Select(property => (property, new SavedList(property.ComplexType, ClrMember.Get(property, instance))))];
        _complex =
        [
            .. complex[false].Select(property => (property, Value: ClrMember.Get(property, instance)))
                .Select(static saved => (saved.property, saved.Value, Content(saved.property, saved.Value))),
        ];
    }

    internal void Write()
    {
        foreach (var (property, value) in _values)
        {
            if (!property.GetValueComparer().Equals(ClrMember.Get(property, _instance), value))
            {
                ClrMember.Set(property, _instance, Copy(property, value));
            }
        }

        foreach (var (property, value, content) in _complex)
        {
            ClrMember.Set(property, _instance, value);
            content?.Write();
        }

        foreach (var (property, list) in _collections)
        {
            ClrMember.Set(property, _instance, list.Write());
        }
    }

    private static object? Copy(IProperty property, object? value) => property.GetValueComparer().Snapshot(value);

    // A value type is its own copy.
    private static SavedObject? Content(IComplexProperty property, object? value)
        => value is null || property.ClrType.IsValueType ? null : new SavedObject(property.ComplexType, value);
}
