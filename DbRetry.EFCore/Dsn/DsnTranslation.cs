using System.Collections.Concurrent;
using Npgsql;

namespace DbRetry.EFCore.Dsn;

/// <summary>What Npgsql is given in the place of a connection string that it cannot be given as it is.</summary>
internal sealed class DsnTranslation
{
    // Every new context asks, and to look through the string takes many times as long as to open a pooled connection. One for each string for ever, as
    // Npgsql keeps its pools.
    private static readonly ConcurrentDictionary<string, DsnTranslation> Known = new();

    private DsnTranslation(string connectionString, TargetSession? declaredTarget)
    {
        ConnectionString = connectionString;
        DeclaredTarget = declaredTarget;
    }

    internal string ConnectionString { get; }

    /// <summary>The target session that the string declares for its single host, and that cannot stand in <see cref="ConnectionString"/>.</summary>
    internal TargetSession? DeclaredTarget { get; }

    /// <remarks>
    /// Translated is a libpq string, and one that names a target session for a single host, which Npgsql refuses
    /// (ServerBehavior/NpgsqlConnectionStringFacts). Anything else passes untouched, so that Npgsql's own error tells what is wrong with it.
    /// </remarks>
    internal static DsnTranslation Of(string connectionString) => Known.GetOrAdd(connectionString, Translate);

    private static DsnTranslation Translate(string connectionString)
    {
        if (!IsNeeded(connectionString))
        {
            return new(connectionString, null);
        }

        var dsn = ParsedDsn.Parse(connectionString);
        return new(dsn.ToConnectionString(), dsn.Hosts.Length == 1 ? dsn.TargetSession : null);
    }

    private static bool IsNeeded(string connectionString)
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
