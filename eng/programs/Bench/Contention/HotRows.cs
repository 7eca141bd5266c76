using System.Data;
using System.Diagnostics;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Bench.Contention;

/// <summary>Writers that read a row and write it back, SERIALIZABLE, each with a fresh context each time.</summary>
/// <remarks>What an earlier one has learnt about conflicts is not known to it. Where the mode wants it, the writers of several processes take turns.</remarks>
internal sealed class HotRows(WriterMode mode, string connectionString, int writers, int rows, int seed, RowTurns? turns = null)
{
    private readonly DbContextOptions<CounterContext> _options = mode.Options(connectionString);

    // One for each row, where the mode wants them.
    private readonly SemaphoreSlim[] _queues
        = mode is WriterMode.PerfectQueue && turns is null ? [.. Enumerable.Range(0, rows).Select(static _ => new SemaphoreSlim(1))] : [];

    /// <summary>Does once what a context of these options needs only once, and opens the connections.</summary>
    public async Task PrepareAsync()
        => await Task.WhenAll(Enumerable.Range(0, writers).Select(async _ =>
        {
            await using var context = new CounterContext(_options);
            await context.Counters.SingleAsync(static counter => counter.Id == CounterContext.Rows);
        }));

    public async Task<HotRowsResult> RunAsync(TimeSpan length)
    {
        var started = Stopwatch.GetTimestamp();
        var latencies = await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(() => WriteAsync(writer, started, length))));
        return new([.. latencies.SelectMany(own => own.Latencies).Order()], latencies.Sum(own => own.InTime), latencies.Sum(own => own.Errors), length);
    }

    private async Task<(List<TimeSpan> Latencies, int InTime, int Errors)> WriteAsync(int writer, long started, TimeSpan length)
    {
        var random = new Random(seed + writer);
        var latencies = new List<TimeSpan>();
        var (inTime, errors) = (0, 0);
        while (Stopwatch.GetElapsedTime(started) < length)
        {
            var id = random.Next(rows) + 1;
            var begun = Stopwatch.GetTimestamp();
            try
            {
                await QueueAsync(writer, id);
                latencies.Add(Stopwatch.GetElapsedTime(begun));
                inTime += Stopwatch.GetElapsedTime(started) < length ? 1 : 0;
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                errors++;
            }
        }

        return (latencies, inTime, errors);
    }

    private async Task QueueAsync(int writer, int id)
    {
        if (mode is not WriterMode.PerfectQueue)
        {
            await IncrementAsync(id);
            return;
        }

        await (turns?.WaitAsync(writer, id) ?? _queues[id - 1].WaitAsync());
        try
        {
            await IncrementAsync(id);
        }
        finally
        {
            if (turns is not null)
            {
                await turns.ReleaseAsync(writer);
            }
            else
            {
                _queues[id - 1].Release();
            }
        }
    }

    private async Task IncrementAsync(int id)
    {
        await using var context = new CounterContext(_options);
        await context.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
        {
            context.ChangeTracker.Clear();
            await using var transaction = await context.Database.BeginTransactionAsync(IsolationLevel.Serializable);
            var counter = await context.Counters.SingleAsync(counter => counter.Id == id);
            counter.N++;
            await context.SaveChangesAsync();
            await transaction.CommitAsync();
        });
    }
}

/// <param name="Latencies">Of the committed units, sorted.</param>
/// <param name="InTime">How many of them were committed within <paramref name="Length"/>: some end long after nobody begins another one.</param>
/// <param name="Errors">What callers saw.</param>
/// <param name="Length">For how long units were begun.</param>
internal sealed record HotRowsResult(IReadOnlyList<TimeSpan> Latencies, int InTime, int Errors, TimeSpan Length)
{
    /// <summary>The parts of one measurement that was made in several.</summary>
    public static HotRowsResult Sum(IReadOnlyCollection<HotRowsResult> parts)
        => new(
            [.. parts.SelectMany(static part => part.Latencies).Order()],
            parts.Sum(static part => part.InTime),
            parts.Sum(static part => part.Errors),
            TimeSpan.FromTicks(parts.Sum(static part => part.Length.Ticks)));

    public double PerSecond => InTime / Length.TotalSeconds;

    public TimeSpan Quantile(double share) => Latencies.Count == 0 ? TimeSpan.Zero : Latencies[(int)Math.Min(Latencies.Count - 1, Latencies.Count * share)];
}
