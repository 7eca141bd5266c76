using DbRetry.Demo;
using DbRetry.Failover;
using DbRetry.Failover.Patroni;
using DbRetry.Failover.Results;
using DbRetry.Failover.Steady;

const int NotExact = 1;
const int WrongArguments = 2;
const int ProgramFailed = 3;
const int ThreadsToBlock = 64;

if (Arguments.Parse(args, out var unknown) is not { } arguments)
{
    await Console.Error.WriteLineAsync($"Not understood: {unknown}\n\n{Arguments.Usage}");
    return WrongArguments;
}
if (arguments.Help)
{
    Console.WriteLine(Arguments.Usage);
    return 0;
}

// Synchronous callers block threads of the pool, which grows by one or two a second only.
ThreadPool.SetMinThreads(ThreadsToBlock, ThreadsToBlock);
using var interruption = new Interruption();
using var attempts = new ConnectionAttempts();
ConnectionAttempts.LeaveUsOut();
try
{
    var data = new RawData(arguments.Output, (scenario, mode) => arguments is { Rounds: > 0, Append: false }
        && arguments.Scenarios.Contains(scenario) && arguments.Modes.Any(anew => anew.Name == mode));
    ScenarioPlan[] plans = [.. Catalogue.All.Where(plan => arguments.Scenarios.Contains(plan.Name))];
    if (arguments.Rounds > 0)
    {
        await MeasureAsync(data, plans);
    }
    foreach (var plan in plans)
    {
        await new ScenarioTable(plan, arguments.Modes, data).WriteAsync(Console.Out);
    }
    var chart = data.PathOf("failover.svg");
    await File.WriteAllTextAsync(chart, Chart.Draw([.. Catalogue.All], ClientMode.All, data), interruption.Token);
    Console.WriteLine($"\nRaw data and chart: {Path.GetDirectoryName(data.PathOf("rounds.csv"))}");
    return data.Rounds.Any(row => arguments.Scenarios.Contains(row.Scenario)
        && row.Mode == ClientMode.DbRetry.Name && row.Errors + row.Lost + row.Duplicated > 0) ? NotExact : 0;
}
catch (Exception) when (interruption.Token.IsCancellationRequested)
{
    // Whatever it was, it came of the servers being taken away.
    await Console.Error.WriteLineAsync("Interrupted; the servers and their folder are gone.");
    return interruption.ExitCode;
}
catch (Exception exception)
{
    await Console.Error.WriteLineAsync($"The program itself failed: {exception}");
    return ProgramFailed;
}

async Task MeasureAsync(RawData data, IReadOnlyList<ScenarioPlan> plans)
{
    if (PatroniBinaries.Missing is { } missing && plans.Any(Catalogue.Patroni.Contains))
    {
        await Console.Error.WriteLineAsync($"The scenarios of Patroni are skipped. {missing}");
        plans = [.. plans.Except(Catalogue.Patroni)];
    }
    foreach (var plan in plans)
    {
        await new ScenarioRun(plan, arguments.Modes, attempts, data, Console.Out).RunAsync(arguments.Rounds, interruption.Token);
        await data.WriteAsync();
    }
    if (arguments.Scenarios.Contains(Catalogue.Steady))
    {
        await new OpenLatency(data, Console.Out).RunAsync(interruption.Token);
    }
}
