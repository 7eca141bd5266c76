using DbRetry.Demo;
using DbRetry.Demo.Results;
using DbRetry.Demo.Views;
using Spectre.Console;

const int NotExact = 1;
const int WrongArguments = 2;
const int DemoFailed = 3;
const int PlainWidth = 160;

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

var console = AnsiConsole.Console;
var capabilities = console.Profile.Capabilities;
var plain = Console.IsOutputRedirected || !capabilities.Ansi || !capabilities.Interactive;
if (plain)
{
    capabilities.Ansi = false;
    capabilities.ColorSystem = ColorSystem.NoColors;
    console.Profile.Width = PlainWidth; // Nobody's window: only keeps long lines whole.
}

using var interruption = new Interruption();
try
{
    IView view = plain ? new PlainView(Console.Out) : new LiveView(console);
    var results = new List<RunResult>();
    foreach (var mode in arguments.Modes)
    {
        results.Add(await new DemoRun(mode, view).RunAsync(interruption.Token));
    }
    new Summary(console, plain).Show(results);
    return results[0].IsExact ? 0 : NotExact;
}
catch (Exception) when (interruption.Token.IsCancellationRequested)
{
    // Whatever it was, it came of the servers being taken away.
    await Console.Error.WriteLineAsync("Interrupted; the servers and their folder are gone.");
    return interruption.ExitCode;
}
catch (Exception exception)
{
    await Console.Error.WriteLineAsync($"The demo itself failed: {exception}");
    return DemoFailed;
}
