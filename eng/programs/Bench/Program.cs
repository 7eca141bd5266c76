using System.Globalization;
using DbRetry.Bench.Contention;
using DbRetry.Bench.Growth;
using DbRetry.Bench.Output;
using DbRetry.Bench.Overhead;

const int WrongArguments = 2;
const string Usage =
    """
    Usage: eng/bench [overhead|contention|growth] [--quick] [--seconds N] [--only TEXT] [--processes N] [--out FOLDER]

    Measures on PostgreSQL servers that it starts on loopback and that flush every commit to the disk (fsync = on). Without a name it runs everything.

      overhead     what UseDbRetry() costs when nothing fails, in each CommitVerification, beside plain UseNpgsql() and EnableRetryOnFailure(): time,
                   with nothing and with 0.5 ms added to each round trip, allocated bytes, round trips and messages. All configurations take turns in
                   random order; the ratios are medians of pairs of the same turn. Beside them stands what EF takes at least, whoever retries: for a read,
                   with a strategy that does nothing; for a write of one statement, in a transaction. Then the same with 1, 3 and 9 hosts.
      contention   16 writers that read a row and write it back in SERIALIZABLE transactions, on 1, 4, 64 and 100,000 rows: with EnableRetryOnFailure(),
                   with UseDbRetry() without its queue, with UseDbRetry(), and with a queue per row that the program has by itself, which shows what could
                   be had at most. All take turns. Ratios are to one writer alone with UseDbRetry(), in the same turns.

      growth       what a retry costs with 0, 100 and 10,000 tracked entities, the memory of a result of 1,000,000 rows, of 1,000,000 operations,
                   and of 1,000 units that wait for a server.

      --quick      short measurements: everything in about three minutes
      --seconds N  for each measurement (10 for overhead and growth, 8 for contention)
      --only TEXT  of overhead, only the operations whose names contain it; of contention, only such numbers of rows
      --processes N  of contention, the writers in so many processes (1)
      --out FOLDER for CSV files and charts (artifacts/bench)
    """;

if (args is [WriterProcess.Command, .. var writers])
{
    await WriterProcess.ServeAsync(writers);
    return 0;
}

string? name = null;
var processes = 1;
var quick = false;
TimeSpan? seconds = null;
var only = "";
var folder = Path.Combine("artifacts", "bench");
for (var i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--help" or "-h":
            Console.WriteLine(Usage);
            return 0;
        case "--quick":
            quick = true;
            break;
        case "--seconds" when i + 1 < args.Length && double.TryParse(args[i + 1], CultureInfo.InvariantCulture, out var value) && value is > 0 and <= 600:
            seconds = TimeSpan.FromSeconds(value);
            i++;
            break;
        case "--only" when i + 1 < args.Length:
            only = args[++i];
            break;
        case "--out" when i + 1 < args.Length:
            folder = args[++i];
            break;
        case "--processes" when i + 1 < args.Length && int.TryParse(args[i + 1], out var count) && count is 1 or 2 or 4 or 8 or 16:
            processes = count;
            i++;
            break;
        case "overhead" or "contention" or "growth" when name is null:
            name = args[i];
            break;
        default:
            await Console.Error.WriteLineAsync($"Not understood: {args[i]}\n\n{Usage}");
            return WrongArguments;
    }
}

var results = new Results(folder);
if (name is null or "overhead")
{
    var length = seconds ?? TimeSpan.FromSeconds(quick ? 2 : 10);
    await new OverheadBench(length, only, results).RunAsync();
    if (only.Length == 0)
    {
        await new HostsBench(length, results).RunAsync();
    }
}
if (name is null or "contention")
{
    await new ContentionBench(seconds ?? TimeSpan.FromSeconds(quick ? 2 : 8), processes, only, results).RunAsync();
}
if (name is null or "growth")
{
    await new GrowthBench(seconds ?? TimeSpan.FromSeconds(quick ? 2 : 10), quick, results).RunAsync();
}
return 0;
