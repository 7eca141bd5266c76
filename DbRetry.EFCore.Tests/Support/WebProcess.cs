using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace DbRetry.EFCore.Tests.Support;

/// <summary>A web application on its connection string <c>Shop</c>, as a process of its own on a port that it chooses.</summary>
internal sealed partial class WebProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private WebProcess(string assembly, string connectionString)
    {
        _process = new Process
        {
            StartInfo = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [assembly, "--urls", "http://127.0.0.1:0"])
            {
                Environment = { ["ConnectionStrings__Shop"] = connectionString },
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = Path.GetDirectoryName(assembly)!,
            },
            EnableRaisingEvents = true,
        };
        _process.OutputDataReceived += (_, line) => Said(line.Data);
        _process.ErrorDataReceived += (_, line) => Said(line.Data);
        _process.Exited += (_, _) => _address.TrySetException(new InvalidOperationException($"The application ended by itself:\n{Output}"));
    }

    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    public required HttpClient Client { get; init; }

    /// <summary>Returns when it listens, which it does when its tables are there.</summary>
    public static async Task<WebProcess> StartAsync(string assembly, string connectionString, CancellationToken cancellationToken)
    {
        var process = new WebProcess(assembly, connectionString) { Client = new HttpClient { Timeout = TimeSpan.FromMinutes(2) } };
        try
        {
            process._process.Start();
            process._process.BeginOutputReadLine();
            process._process.BeginErrorReadLine();
            process.Client.BaseAddress = await process._address.Task.WaitAsync(StartLimit, cancellationToken);
            return process;
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        try
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }
        catch (InvalidOperationException)
        {
            // It never started.
        }

        _process.Dispose();
    }

    private void Said(string? line)
    {
        lock (_output)
        {
            _output.AppendLine(line);
        }

        if (line is not null && Listening().Match(line) is { Success: true } match)
        {
            _address.TrySetResult(new Uri(match.Groups[1].Value));
        }
    }

    [GeneratedRegex(@"Now listening on: (http://\S+)")]
    private static partial Regex Listening();
}
