using System.Diagnostics;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.Bench.Contention;

/// <summary>Writers that want the same rows, each with a fresh context each time.</summary>
/// <remarks>What an earlier one has learnt about conflicts is not known to it. Where the mode wants it, the writers of several processes take turns.</remarks>
internal sealed class HotRows(
    WriterMode mode, string connectionString, int writers, int rows, int seed, RowTurns? turns = null, HotUnit unit = HotUnit.Increment)
{
    private readonly DbContextOptions<CounterContext> _options = mode.Options(unit.Settings(connectionString));

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
            var other = ((id + random.Next(Math.Max(1, rows - 1))) % rows) + 1;
            var begun = Stopwatch.GetTimestamp();
            try
            {
                await QueueAsync(writer, id, other);
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

    private async Task QueueAsync(int writer, int id, int other)
    {
        if (mode is not WriterMode.PerfectQueue)
        {
            await UnitAsync(id, other);
            return;
        }

        await (turns?.WaitAsync(writer, id) ?? _queues[id - 1].WaitAsync());
        try
        {
            await UnitAsync(id, other);
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

    private async Task UnitAsync(int id, int other)
    {
        await using var context = new CounterContext(_options);
        await context.Database.CreateExecutionStrategy().ExecuteAsync(() => unit.RunAsync(context, id, other));
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
