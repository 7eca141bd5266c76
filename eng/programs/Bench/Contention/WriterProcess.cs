using System.Diagnostics;
using System.Globalization;

namespace DbRetry.Bench.Contention;

/// <summary>A part of the writers in a process of its own, as several instances of one application have it.</summary>
/// <remarks>
/// It lives for the whole benchmark, so that nothing but the first turns pays for compiling its code. A line says what to measure; it answers "ready", begins
/// when another line arrives, and writes one line for each latency, in ticks.
/// </remarks>
internal sealed class WriterProcess : IDisposable
{
    public const string Command = "contention-writers";

    private const string Ready = "ready";
    private const string End = "end";

    private readonly Process _process;

    private WriterProcess(Process process) => _process = process;

    public static WriterProcess Start(string connectionString, string turns)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var argument in new[] { typeof(WriterProcess).Assembly.Location, Command, connectionString, turns })
        {
            start.ArgumentList.Add(argument);
        }

        return new(Process.Start(start)!);
    }

    /// <summary>The other end of it: what the process does.</summary>
    public static async Task ServeAsync(IReadOnlyList<string> arguments)
    {
        while (await Console.In.ReadLineAsync() is { } line)
        {
            var order = line.Split(' ');
            var (mode, writers, rows, seed) = (Enum.Parse<WriterMode>(order[0]), int.Parse(order[1]), int.Parse(order[2]), int.Parse(order[4]));
            var turns = mode is WriterMode.PerfectQueue ? await RowTurns.ConnectAsync(arguments[1], writers) : null;
            var hotRows = new HotRows(mode, arguments[0], writers, rows, seed, turns);
            await hotRows.PrepareAsync();
            Console.WriteLine(Ready);
            await Console.In.ReadLineAsync();
            Write(await hotRows.RunAsync(TimeSpan.FromSeconds(double.Parse(order[3], CultureInfo.InvariantCulture))));
            turns?.Dispose();
        }
    }

    public async Task PrepareAsync(WriterMode mode, int writers, int rows, TimeSpan length, int seed)
    {
        await _process.StandardInput.WriteLineAsync(
            string.Create(CultureInfo.InvariantCulture, $"{mode} {writers} {rows} {length.TotalSeconds} {seed}"));
        if (await _process.StandardOutput.ReadLineAsync() != Ready)
        {
            throw new InvalidOperationException("A process of writers did not start.");
        }
    }

    public void Begin() => _process.StandardInput.WriteLine();

    public async Task<HotRowsResult> EndAsync(TimeSpan length)
    {
        var inTime = int.Parse((await _process.StandardOutput.ReadLineAsync())!);
        var errors = int.Parse((await _process.StandardOutput.ReadLineAsync())!);
        var latencies = new List<TimeSpan>();
        while (await _process.StandardOutput.ReadLineAsync() is { } line and not End)
        {
            latencies.Add(new(long.Parse(line)));
        }

        return new(latencies, inTime, errors, length);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private static void Write(HotRowsResult result)
    {
        Console.WriteLine(result.InTime);
        Console.WriteLine(result.Errors);
        foreach (var latency in result.Latencies)
        {
            Console.WriteLine(latency.Ticks);
        }

        Console.WriteLine(End);
    }
}
