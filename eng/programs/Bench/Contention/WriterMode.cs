using Microsoft.EntityFrameworkCore;

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
        var builder = new DbContextOptionsBuilder<CounterContext>();
        _ = mode switch
        {
            WriterMode.Stock => builder.UseNpgsql(connectionString, static npgsql => npgsql.EnableRetryOnFailure()),
            WriterMode.Racing or WriterMode.PerfectQueue => builder.UseNpgsql(connectionString).UseDbRetry(static options => options.QueueConflicts = false),
            _ => builder.UseNpgsql(connectionString).UseDbRetry(),
        };
        return builder.Options;
    }
}
