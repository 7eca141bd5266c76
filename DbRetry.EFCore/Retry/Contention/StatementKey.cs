using System.Data.Common;

namespace DbRetry.EFCore.Retry.Contention;

/// <summary>Tells statements that are alike, in text and parameters, from others, without keeping them.</summary>
/// <remarks>
/// Two that are not alike may have the same key, and then wait for each other without need. Values that have no equality of their own, as arrays, make
/// every statement different.
/// </remarks>
internal static class StatementKey
{
    internal static int Of(DbCommand command)
    {
        var key = new HashCode();
        key.Add(command.CommandText);
        foreach (DbParameter parameter in command.Parameters)
        {
            key.Add(parameter.Value);
        }

        return key.ToHashCode();
    }
}
