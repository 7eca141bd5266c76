using System.Data.Common;
using System.Globalization;

namespace DbRetry.EFCore.Retry.Contention;

/// <summary>Tells statements that are alike, in text and parameters, from others, without keeping them.</summary>
/// <remarks>
/// Two that are not alike may have the same key, and then wait for each other without need. The key is the same in every process. Only values that have
/// no equality of their own, as arrays, make every statement different.
/// </remarks>
internal static class StatementKey
{
    // FNV-1a: HashCode differs from process to process.
    private const uint Basis = 2166136261;
    private const uint Prime = 16777619;

    internal static int Of(DbCommand command)
    {
        var key = Add(Basis, command.CommandText);
        foreach (DbParameter parameter in command.Parameters)
        {
            key = parameter.Value switch
            {
                string text => Add(key, text),
                IFormattable value => Add(key, value.ToString(null, CultureInfo.InvariantCulture)),
                { } other => Add(key, other.GetHashCode()),
                null => Add(key, 0),
            };
        }

        return (int)key;
    }

    private static uint Add(uint key, ReadOnlySpan<char> text)
    {
        foreach (var character in text)
        {
            key = Add(key, character);
        }

        return Add(key, text.Length);
    }

    private static uint Add(uint key, int value) => unchecked((key ^ (uint)value) * Prime);
}
