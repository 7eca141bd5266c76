using System.Diagnostics;

namespace DbRetry.Bench.Measuring;

/// <summary>
/// Measures several ways to do the same thing against each other: in rounds, each way once per round and in random order, so that whatever
/// disturbs the machine disturbs all of them. What counts are the ratios within a round.
/// </summary>
internal sealed class Contest(IReadOnlyList<Func<Task>> ways)
{
    private const int LeastRounds = 5;
    private const int AllocationRounds = 7;

    // Long enough for the clock, short enough that a disturbance spoils one round and not the whole.
    private static readonly TimeSpan Block = TimeSpan.FromMilliseconds(2);

    private readonly List<double>[] _seconds = [.. ways.Select(_ => new List<double>())];

    public int Rounds => _seconds[0].Count;

    /// <summary>Takes the given time, longer if five rounds do.</summary>
    public async Task RunAsync(TimeSpan length)
    {
        var random = new Random(1);
        var repeats = await CalibrateAsync();
        int[] order = [.. Enumerable.Range(0, ways.Count)];
        var started = Stopwatch.GetTimestamp();
        while (Rounds < LeastRounds || Stopwatch.GetElapsedTime(started) < length)
        {
            random.Shuffle(order);
            foreach (var way in order)
            {
                _seconds[way].Add(await TimeAsync(ways[way], repeats));
            }
        }
    }

    /// <summary>Seconds that one run takes.</summary>
    public Spread Time(int way) => Spread.Of(_seconds[way]);

    /// <summary>How many times as long one way takes as another.</summary>
    public Spread Ratio(int way, int to) => Spread.Of(_seconds[way].Zip(_seconds[to], static (seconds, other) => seconds / other));

    /// <summary>Bytes that one run allocates, on whichever thread. Whoever else allocates can only add, so the least counts.</summary>
    public async Task<long> AllocatedAsync(int way, int repeats)
    {
        var least = long.MaxValue;
        for (var round = 0; round < AllocationRounds; round++)
        {
            var before = GC.GetTotalAllocatedBytes(precise: true);
            for (var i = 0; i < repeats; i++)
            {
                await ways[way]();
            }
            least = Math.Min(least, (GC.GetTotalAllocatedBytes(precise: true) - before) / repeats);
        }
        return least;
    }

    private static async Task<double> TimeAsync(Func<Task> way, int repeats)
    {
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < repeats; i++)
        {
            await way();
        }
        return Stopwatch.GetElapsedTime(started).TotalSeconds / repeats;
    }

    private async Task<int> CalibrateAsync()
    {
        var fastest = double.MaxValue;
        foreach (var way in ways)
        {
            await way();
            fastest = Math.Min(fastest, await TimeAsync(way, 3));
        }
        return (int)Math.Clamp(Block.TotalSeconds / fastest, 1, 1000);
    }
}
