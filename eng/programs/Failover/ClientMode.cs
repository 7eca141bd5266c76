using DbRetry.EFCore;
using DbRetry.EFCore.Tests.Support.Failover;
using DbRetry.Failover.Told;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Failover;

/// <summary>One side of the comparison: who retries.</summary>
/// <param name="Name">One word.</param>
/// <param name="Title">As one would write it in code.</param>
/// <param name="Build">
/// Makes the options for a connection string that names all hosts; the flag is whether they are for reading on standbys, and the last one tells where the
/// primary is, which those who are compared find out by themselves.
/// </param>
internal sealed record ClientMode(string Name, string Title, Func<string, bool, PrimaryWord, DbContextOptions<ProofContext>> Build)
{
    public static readonly ClientMode DbRetry = new("dbretry", "UseDbRetry()", (connectionString, reading, _) => Options(
        builder => builder.UseNpgsql(connectionString).UseDbRetry(options => options.TargetSession = reading ? TargetSession.PreferStandby : null)));

    public static readonly ClientMode Stock = new("stock", "EnableRetryOnFailure()", (connectionString, reading, _) => Retrying(connectionString, reading, ""));

    public static readonly ClientMode Rechecking = new(
        "stock-recheck", "EnableRetryOnFailure(), Host Recheck Seconds=1", (connectionString, reading, _) => Retrying(connectionString, reading, ";Host Recheck Seconds=1"));

    /// <summary>What the machine itself takes: to find the primary, and to ask what became of a COMMIT, comes on top. Writes only, and may write twice.</summary>
    public static readonly ClientMode Told = new("told", "plain EF Core, told where the primary is", (connectionString, _, primary) => Options(
        builder => builder
            .UseNpgsql(connectionString, npgsql => npgsql.ExecutionStrategy(dependencies => new RepeatingStrategy(dependencies)))
            .AddInterceptors(new ToldInterceptor(connectionString, primary))));

    /// <summary>Those that are compared.</summary>
    public static IReadOnlyList<ClientMode> All { get; } = [DbRetry, Stock, Rechecking];

    /// <summary>All that can be asked for.</summary>
    public static IReadOnlyList<ClientMode> Known { get; } = [.. All, Told];

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
