using Npgsql;

namespace DbRetry.EFCore.Dsn;

/// <summary>Tells which connection strings Npgsql cannot be given as they are.</summary>
internal static class DsnTranslation
{
    /// <summary>
    /// Whether the string is a libpq one, or names a target session for a single host, which Npgsql refuses
    /// (ServerBehavior/NpgsqlConnectionStringFacts). Anything else passes untouched, so that Npgsql's own error tells what is wrong with it.
    /// </summary>
    internal static bool IsNeeded(string connectionString)
        => DsnFormatDetector.Detect(connectionString) switch
        {
            DsnFormat.Uri or DsnFormat.KeyValue => true,
            DsnFormat.Npgsql => connectionString.Contains("session", StringComparison.OrdinalIgnoreCase) && HasTargetForOneHost(connectionString),
            _ => false,
        };

    private static bool HasTargetForOneHost(string connectionString)
        => new NpgsqlConnectionStringBuilder(connectionString) is { TargetSessionAttributes: not null, Host: { } host }
            && !host.Contains(',', StringComparison.Ordinal);
}
