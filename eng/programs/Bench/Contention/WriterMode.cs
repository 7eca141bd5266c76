using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.Caching.Memory;
using Npgsql;

namespace DbRetry.Bench.Contention;

/// <summary>Who retries the conflicts.</summary>
internal enum WriterMode
{
    Stock,
    Racing,
    Queueing,

    /// <summary>The program itself knows which units want the same row and lets them begin one after the other: what no queue can beat.</summary>
    PerfectQueue,
}

internal static class WriterModes
{
    public static string Name(this WriterMode mode)
        => mode switch
        {
            WriterMode.Stock => "EnableRetryOnFailure()",
            WriterMode.Racing => "UseDbRetry() without its queue",
            WriterMode.PerfectQueue => "a perfect queue per row",
            _ => "UseDbRetry()",
        };

    public static DbContextOptions<CounterContext> Options(this WriterMode mode, string connectionString)
    {
        // What was learnt about conflicts lives as long as EF's services, and contexts with another cache have services of their own.
        var builder = new DbContextOptionsBuilder<CounterContext>()
            .UseMemoryCache(new MemoryCache(new MemoryCacheOptions()))
            .ConfigureWarnings(static warnings => warnings.Ignore(CoreEventId.ManyServiceProvidersCreatedWarning));
        _ = mode switch
        {
            WriterMode.Stock => builder.UseNpgsql(connectionString, static npgsql => npgsql.EnableRetryOnFailure([PostgresErrorCodes.LockNotAvailable])),
            WriterMode.Racing or WriterMode.PerfectQueue => builder.UseNpgsql(connectionString).UseDbRetry(static options =>
            {
                options.RetriableSqlStates.Add(PostgresErrorCodes.LockNotAvailable);
                options.QueueConflicts = false;
            }),
            _ => builder.UseNpgsql(connectionString).UseDbRetry(static options => options.RetriableSqlStates.Add(PostgresErrorCodes.LockNotAvailable)),
        };
        return builder.Options;
    }
}
