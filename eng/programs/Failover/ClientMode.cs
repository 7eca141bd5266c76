using DbRetry.EFCore;
using DbRetry.EFCore.Tests.Support.Failover;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Failover;

/// <summary>One side of the comparison: who retries.</summary>
/// <param name="Name">One word.</param>
/// <param name="Title">As one would write it in code.</param>
/// <param name="Build">Makes the options for a connection string that names all hosts; the flag is whether they are for reading on standbys.</param>
internal sealed record ClientMode(string Name, string Title, Func<string, bool, DbContextOptions<ProofContext>> Build)
{
    public static readonly ClientMode DbRetry = new("dbretry", "UseDbRetry()", (connectionString, reading) => Options(
        builder => builder.UseNpgsql(connectionString).UseDbRetry(options => options.TargetSession = reading ? TargetSession.PreferStandby : null)));

    public static readonly ClientMode Stock = new("stock", "EnableRetryOnFailure()", (connectionString, reading) => Retrying(connectionString, reading, ""));

    public static readonly ClientMode Rechecking = new(
        "stock-recheck", "EnableRetryOnFailure(), Host Recheck Seconds=1", (connectionString, reading) => Retrying(connectionString, reading, ";Host Recheck Seconds=1"));

    public static IReadOnlyList<ClientMode> All { get; } = [DbRetry, Stock, Rechecking];

    private static DbContextOptions<ProofContext> Retrying(string connectionString, bool reading, string settings)
        => Options(builder => builder.UseNpgsql(
            $"{connectionString};Target Session Attributes={(reading ? "prefer-standby;Load Balance Hosts=true" : "primary")}{settings}",
            npgsql => npgsql.EnableRetryOnFailure()));

    private static DbContextOptions<ProofContext> Options(Action<DbContextOptionsBuilder> configure)
    {
        var builder = new DbContextOptionsBuilder<ProofContext>();
        configure(builder);
        return builder.Options;
    }
}
