using System.Data;
using System.Diagnostics;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Bench.Contention;

/// <summary>Writers that read a row and write it back, SERIALIZABLE, each with a fresh context each time.</summary>
internal sealed class HotRows(DbContextOptions<CounterContext> options, int writers, int rows, int seed)
{
    public async Task<HotRowsResult> RunAsync(TimeSpan length)
    {
        var started = Stopwatch.GetTimestamp();
        var latencies = await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(() => WriteAsync(new Random(seed + writer), started, length))));
        return new(
            [.. latencies.SelectMany(own => own.Latencies).Order()],
            latencies.Sum(own => own.Errors),
            Stopwatch.GetElapsedTime(started));
    }

    private async Task<(List<TimeSpan> Latencies, int Errors)> WriteAsync(Random random, long started, TimeSpan length)
    {
        var latencies = new List<TimeSpan>();
        var errors = 0;
        while (Stopwatch.GetElapsedTime(started) < length)
        {
            var id = random.Next(rows) + 1;
            var begun = Stopwatch.GetTimestamp();
            try
            {
                await using var context = new CounterContext(options);
                await context.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
                {
                    context.ChangeTracker.Clear();
                    await using var transaction = await context.Database.BeginTransactionAsync(IsolationLevel.Serializable);
                    var counter = await context.Counters.SingleAsync(counter => counter.Id == id);
                    counter.N++;
                    await context.SaveChangesAsync();
                    await transaction.CommitAsync();
                });
                latencies.Add(Stopwatch.GetElapsedTime(begun));
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                errors++;
            }
        }

        return (latencies, errors);
    }
}

/// <param name="Latencies">Of the committed units, sorted.</param>
/// <param name="Errors">What callers saw.</param>
/// <param name="Length">How long it took.</param>
internal sealed record HotRowsResult(IReadOnlyList<TimeSpan> Latencies, int Errors, TimeSpan Length)
{
    public double PerSecond => Latencies.Count / Length.TotalSeconds;

    public TimeSpan Quantile(double share) => Latencies.Count == 0 ? TimeSpan.Zero : Latencies[(int)Math.Min(Latencies.Count - 1, Latencies.Count * share)];
}
