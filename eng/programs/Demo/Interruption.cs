using System.Runtime.InteropServices;

namespace DbRetry.Demo;

/// <summary>Turns Ctrl-C and a polite kill into a cancellation, so that there is time to clean up.</summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;

    public Interruption() => _registrations =
        [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(signal => PosixSignalRegistration.Create(signal, Note))];

    public CancellationToken Token => _source.Token;

    /// <summary>What shells expect of a process that a signal ended.</summary>
    public int ExitCode { get; private set; }

    public void Dispose()
    {
        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }
        _source.Dispose();
    }

    private void Note(PosixSignalContext context)
    {
        if (_source.IsCancellationRequested)
        {
            return; // Asked twice: go at once. The next run sweeps up.
        }
        context.Cancel = true;
        ExitCode = 128 + context.Signal switch
        {
            PosixSignal.SIGHUP => 1,
            PosixSignal.SIGINT => 2,
            _ => 15,
        };
        _source.Cancel();
    }
}
