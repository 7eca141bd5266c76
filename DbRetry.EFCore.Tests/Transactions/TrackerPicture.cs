using System.Collections;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;

namespace DbRetry.EFCore.Tests.Transactions;

/// <summary>All that the public API tells about what a context tracks, as text that can be compared.</summary>
internal static class TrackerPicture
{
    public static string Of(DbContext context)
    {
        var detects = context.ChangeTracker.AutoDetectChangesEnabled;
        context.ChangeTracker.AutoDetectChangesEnabled = false;
        try
        {
            var lines = context.ChangeTracker.Entries().Select(Describe).Order(StringComparer.Ordinal);
            return string.Join(Environment.NewLine, lines);
        }
        finally
        {
            context.ChangeTracker.AutoDetectChangesEnabled = detects;
        }
    }

    private static string Describe(EntityEntry entry)
    {
        var text = new StringBuilder($"{Name(entry.Entity)} {entry.State}");
        foreach (var property in entry.Properties)
        {
            Describe(text, property);
        }

        foreach (var complex in entry.ComplexProperties)
        {
            Describe(text, complex);
        }

        foreach (var navigation in entry.Navigations)
        {
            text.Append($"{Environment.NewLine}    {navigation.Metadata.Name} -> {Value(navigation.CurrentValue)} {(navigation.IsLoaded ? "loaded" : "")}");
        }

        return text.ToString();
    }

    private static void Describe(StringBuilder text, ComplexPropertyEntry complex)
    {
        text.Append($"{Environment.NewLine}    {complex.Metadata.Name} {(complex.CurrentValue is null ? "null" : "there")} {complex.IsModified}");
        if (complex.CurrentValue is null)
        {
            return;
        }

        foreach (var property in complex.Properties)
        {
            Describe(text, property);
        }

        foreach (var inner in complex.ComplexProperties)
        {
            Describe(text, inner);
        }

        foreach (var collection in complex.ComplexCollections)
        {
            text.Append($"{Environment.NewLine}    {collection.Metadata.Name} {collection.IsModified}: ");
            text.Append(string.Join(", ", collection.CurrentValue!.Cast<GraphContext.Remark>().Select(item => item.Text)));
        }
    }

    private static void Describe(StringBuilder text, PropertyEntry property)
    {
        var clr = property.Metadata.PropertyInfo is { } info && info.GetIndexParameters().Length == 0 && property.Metadata.DeclaringType.ClrType == property.EntityEntry.Entity.GetType()
            ? Value(info.GetValue(property.EntityEntry.Entity))
            : "";
        text.Append($"{Environment.NewLine}    {property.Metadata.Name} = {Value(property.CurrentValue)} was {Value(property.OriginalValue)} holds {clr}");
        text.Append($"{(property.IsModified ? " modified" : "")}{(property.IsTemporary ? " temporary" : "")}");
    }

    private static string Value(object? value)
        => value switch
        {
            null => "null",
            byte[] bytes => Convert.ToHexString(bytes),
            string or ValueType => value.ToString()!,
            IEnumerable items => $"[{string.Join(", ", items.Cast<object>().Select(Value))}]",
            _ => Name(value),
        };

    private static string Name(object entity) => $"{entity.GetType().Name}#{RuntimeHelpers.GetHashCode(entity)}";
}
