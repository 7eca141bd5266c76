using DbRetry.EFCore.Seams;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace DbRetry.EFCore.Transactions;

/// <summary>What there is to be saved of the entities of one type.</summary>
internal sealed class SavedShape
{
    private readonly bool _isComparedByValue;

    private SavedShape(IEntityType type)
    {
        Complex = [.. type.GetFlattenedComplexProperties()];
        Properties = [.. type.GetFlattenedProperties()];
        Navigations = [.. type.GetNavigations().Cast<INavigationBase>(), .. type.GetSkipNavigations()];
        _isComparedByValue = Complex.Length == 0
            && type.GetChangeTrackingStrategy() is ChangeTrackingStrategy.Snapshot
            && Array.TrueForAll(Properties, static property => TrackedEntry.HasOriginal(property) && !property.IsIndexerProperty());
    }

    internal IComplexProperty[] Complex { get; }

    internal IProperty[] Properties { get; }

    internal INavigationBase[] Navigations { get; }

    internal static SavedShape Of(IEntityType type)
        => type.GetOrAddRuntimeAnnotationValue("DbRetry:SavedShape", static type => new SavedShape(type!), type);

    /// <summary>Whether the values of an entity are all there is to be known of its properties, once EF has looked for changes.</summary>
    internal bool IsPlain(TrackedEntry entry)
    {
        if (!_isComparedByValue || entry.State is not EntityState.Unchanged)
        {
            return false;
        }

        foreach (var property in Properties)
        {
            if (entry.Marks(property) is not ValueMarks.None)
            {
                return false;
            }
        }

        return true;
    }
}
