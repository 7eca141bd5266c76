using System.Collections.Concurrent;

namespace DbRetry.Demo.Load;

/// <summary>Remembers every request and what its caller was told.</summary>
internal sealed class Ledger(Clock clock)
{
    private readonly ConcurrentQueue<LedgerEntry> _entries = new();
    private readonly ConcurrentDictionary<Guid, TimeSpan> _inFlight = new();

    public IReadOnlyCollection<LedgerEntry> Entries => _entries;

    public int Waiting => _inFlight.Count;

    /// <summary>For how long the most patient of the waiting callers has been waiting.</summary>
    public TimeSpan LongestWait
    {
        get
        {
            var now = clock.Elapsed;
            return _inFlight.Values.Aggregate(TimeSpan.Zero, (longest, started) => now - started > longest ? now - started : longest);
        }
    }

    /// <param name="kind">What is requested.</param>
    /// <param name="operation">Serves the request and returns the server that it used.</param>
    /// <param name="cancellationToken">Ends the wait; the request then counts as cut off.</param>
    public async Task RecordAsync(
        RequestKind kind, Func<Guid, CancellationToken, Task<string?>> operation, CancellationToken cancellationToken)
    {
        var requestId = Guid.NewGuid();
        var started = clock.Elapsed;
        _inFlight[requestId] = started;
        var (outcome, servedBy, error) = await AttemptAsync(requestId, operation, cancellationToken);
        _entries.Enqueue(new(requestId, kind, started, clock.Elapsed, outcome, servedBy, error));
        _inFlight.TryRemove(requestId, out _);
    }

    private static async Task<(Outcome Outcome, string? ServedBy, string? Error)> AttemptAsync(
        Guid requestId, Func<Guid, CancellationToken, Task<string?>> operation, CancellationToken cancellationToken)
    {
        try
        {
            return (Outcome.Acknowledged, await operation(requestId, cancellationToken), null);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return (Outcome.CutOff, null, null);
        }
        catch (Exception exception)
        {
            return (ErrorText.SaysUnknown(exception) ? Outcome.Unknown : Outcome.Failed, null, ErrorText.Of(exception));
        }
    }
}
