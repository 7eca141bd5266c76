#pragma warning disable EF1001 // Only the setter that EF uses for what it reads from the database bypasses the application's own setters.
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Internal;

namespace DbRetry.EFCore.Seams;

/// <summary>Reads and writes what a property, a complex property or a navigation is mapped to, as EF does when it materializes an object.</summary>
/// <remarks>
/// Leans on EFCore/Metadata/Internal/IRuntimePropertyBase.cs, by public members only. Transactions/TrackerRestoreTests shows that they do what they
/// are used for.
/// </remarks>
internal static class ClrMember
{
    internal static object? Get(IPropertyBase property, object instance) => property.GetGetter().GetClrValue(instance);

    internal static void Set(IPropertyBase property, object instance, object? value)
        => ((IRuntimePropertyBase)property).MaterializationSetter.SetClrValue(instance, value);

    /// <summary>Also where the property belongs to a complex object inside the entity.</summary>
    internal static void SetInEntity(IPropertyBase property, object entity, object? value)
        => ((IRuntimePropertyBase)property).MaterializationSetter.SetClrValueUsingContainingEntity(entity, value);
}
