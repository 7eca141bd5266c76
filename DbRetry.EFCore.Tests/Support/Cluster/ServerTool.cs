using System.Diagnostics;

namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>Runs a command to its end under the server account.</summary>
internal static class ServerTool
{
    public static async Task RunAsync(string program, IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        var (exitCode, output) = await TryRunAsync(program, arguments, cancellationToken);
        if (exitCode != 0)
        {
            throw new InvalidOperationException($"{program} exited with {exitCode}:\n{output}");
        }
    }

    public static async Task<(int ExitCode, string Output)> TryRunAsync(
        string program, IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        // The current folder may be closed to the server account, and initdb looks at it.
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = "/",
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["LC_ALL"] = "C";
        ServerAccount.Current.RunUnder(start);
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var error = process.StandardError.ReadToEndAsync(cancellationToken);
        try
        {
            await process.WaitForExitAsync(cancellationToken);
            return (process.ExitCode, await output + await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }
}
