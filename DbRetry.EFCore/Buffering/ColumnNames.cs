#pragma warning disable EF1001 // RelationalStrings: EF's own words for the same mistake.
using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace DbRetry.EFCore.Buffering;

/// <summary>Finds columns of the application's own SQL.</summary>
internal static class ColumnNames
{
    /// <exception cref="InvalidOperationException">There is no such column.</exception>
    internal static int Find(DbDataReader reader, string name, int columns)
    {
        for (var ordinal = reader.FieldCount - 1; ordinal >= 0; ordinal--)
        {
            if (string.Equals(reader.GetName(ordinal), name, StringComparison.OrdinalIgnoreCase))
            {
                return ordinal;
            }
        }

        // A single value needs no name.
        return columns == 1 ? 0 : throw new InvalidOperationException(RelationalStrings.FromSqlMissingColumn(name));
    }
}
