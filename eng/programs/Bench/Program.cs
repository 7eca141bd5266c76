using System.Globalization;
using DbRetry.Bench.Contention;

const int WrongArguments = 2;
const string Usage =
    """
    Usage: eng/bench contention [SECONDS]

    Starts a PostgreSQL server on loopback that flushes every commit to the disk (fsync = on), and lets 16 writers read a row and write it
    back in SERIALIZABLE transactions, on 1, 4, 64 and 100,000 rows, for SECONDS (8) each: with EF's own EnableRetryOnFailure(), with
    UseDbRetry() without its queue, and with UseDbRetry(). All ratios are to one writer alone with UseDbRetry(), in the same run.
    """;

switch (args)
{
    case ["contention"]:
        await ContentionBench.RunAsync(TimeSpan.FromSeconds(8));
        return 0;
    case ["contention", var seconds] when double.TryParse(seconds, CultureInfo.InvariantCulture, out var length) && length is > 0 and <= 600:
        await ContentionBench.RunAsync(TimeSpan.FromSeconds(length));
        return 0;
    case ["--help" or "-h"]:
        Console.WriteLine(Usage);
        return 0;
    default:
        await Console.Error.WriteLineAsync($"Not understood: {string.Join(' ', args)}\n\n{Usage}");
        return WrongArguments;
}
