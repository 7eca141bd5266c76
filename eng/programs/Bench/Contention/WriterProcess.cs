using System.Diagnostics;
using System.Globalization;

namespace DbRetry.Bench.Contention;

/// <summary>A part of the writers in a process of its own, as several instances of one application have it.</summary>
/// <remarks>It says "ready" when its code is compiled, begins when a line arrives, and writes one line for each latency, in ticks.</remarks>
internal sealed class WriterProcess : IDisposable
{
    public const string Command = "contention-writers";

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);

    private readonly Process _process;

    private WriterProcess(Process process) => _process = process;

    public static WriterProcess Start(string connectionString, WriterMode mode, int writers, int rows, TimeSpan length, int seed)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var argument in new[]
        {
            typeof(WriterProcess).Assembly.Location, Command, connectionString, $"{mode}", $"{writers}", $"{rows}",
            length.TotalSeconds.ToString(CultureInfo.InvariantCulture), $"{seed}",
        })
        {
            start.ArgumentList.Add(argument);
        }
        return new(Process.Start(start)!);
    }

    /// <summary>The other end of it: what the process does.</summary>
    public static async Task ServeAsync(IReadOnlyList<string> arguments)
    {
        var (connectionString, mode) = (arguments[0], Enum.Parse<WriterMode>(arguments[1]));
        var (writers, rows, seed) = (int.Parse(arguments[2]), int.Parse(arguments[3]), int.Parse(arguments[5]));
        await new HotRows(mode, connectionString, writers, CounterContext.Rows, seed).RunAsync(WarmUp);
        Console.WriteLine("ready");
        await Console.In.ReadLineAsync();
        var result = await new HotRows(mode, connectionString, writers, rows, seed).RunAsync(TimeSpan.FromSeconds(double.Parse(arguments[4], CultureInfo.InvariantCulture)));
        Console.WriteLine(result.InTime);
        Console.WriteLine(result.Errors);
        foreach (var latency in result.Latencies)
        {
            Console.WriteLine(latency.Ticks);
        }
    }

    public async Task ReadyAsync()
    {
        if (await _process.StandardOutput.ReadLineAsync() != "ready")
        {
            throw new InvalidOperationException("A process of writers did not start.");
        }
    }

    public void Begin() => _process.StandardInput.WriteLine();

    public async Task<(List<TimeSpan> Latencies, int InTime, int Errors)> EndAsync()
    {
        var inTime = int.Parse((await _process.StandardOutput.ReadLineAsync())!);
        var errors = int.Parse((await _process.StandardOutput.ReadLineAsync())!);
        var latencies = new List<TimeSpan>();
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            latencies.Add(new(long.Parse(line)));
        }
        await _process.WaitForExitAsync();
        return (latencies, inTime, errors);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }
        _process.Dispose();
    }
}
