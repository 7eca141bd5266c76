using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>
/// Makes one call after the other, with a fresh context each time, as a web application would. Every other caller is synchronous.
/// </summary>
internal sealed class Caller(int number, bool reads, Guid round, DbContextOptions<ProofContext> options)
{
    /// <summary>A caller who was told an error takes a breath, too: the number of errors is that of calls not served.</summary>
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(5);

    private readonly ConcurrentQueue<Call> _calls = new();
    private readonly bool _async = number % 2 == 0;
    private volatile Call? _lastAcknowledged;
    private int _acknowledged;

    public int Number => number;

    public IReadOnlyCollection<Call> Calls => _calls;

    public int Acknowledged => Volatile.Read(ref _acknowledged);

    public Call? LastAcknowledged => _lastAcknowledged;

    /// <param name="closing">No new calls from then on.</param>
    /// <param name="cutOff">Gives up the call in flight, too.</param>
    public async Task RunAsync(CancellationToken closing, CancellationToken cutOff)
    {
        for (var i = 0; !closing.IsCancellationRequested; i++)
        {
            var kind = reads ? CallKind.Read : i % 2 == 0 ? CallKind.Insert : CallKind.Update;
            var call = await MakeAsync(kind, cutOff);
            _calls.Enqueue(call);
            if (call.Outcome == CallOutcome.Acknowledged)
            {
                _lastAcknowledged = call;
                Interlocked.Increment(ref _acknowledged);
            }
            await Task.Delay(Breath, CancellationToken.None);
        }
    }

    private async Task<Call> MakeAsync(CallKind kind, CancellationToken cutOff)
    {
        var id = Guid.NewGuid();
        var started = Stopwatch.GetTimestamp();
        try
        {
            var servedBy = kind == CallKind.Read ? await ReadAsync(cutOff) : await WriteAsync(id, kind, cutOff);
            return new(id, number, kind, started, Stopwatch.GetTimestamp(), CallOutcome.Acknowledged, servedBy);
        }
        catch (Exception exception)
        {
            var ended = Stopwatch.GetTimestamp();
            return cutOff.IsCancellationRequested
                ? new(id, number, kind, started, ended, CallOutcome.CutOff)
                : new(id, number, kind, started, ended, CallOutcome.Failed, Error: exception);
        }
    }

    private async Task<int> WriteAsync(Guid id, CallKind kind, CancellationToken cutOff)
    {
        await using var context = new ProofContext(options);
        if (kind == CallKind.Update)
        {
            var counter = _async
                ? await context.CounterRows.SingleAsync(counter => counter.Id == number, cutOff)
                : context.CounterRows.Single(counter => counter.Id == number);
            counter.N++;
        }
        var mark = new ProofContext.Mark { Call = id, Round = round };
        context.Marks.Add(mark);
        _ = _async ? await context.SaveChangesAsync(cutOff) : context.SaveChanges();
        return mark.Port;
    }

    private async Task<int> ReadAsync(CancellationToken cutOff)
    {
        await using var context = new ProofContext(options);
        var rows = context.CounterRows.AsNoTracking().Where(counter => counter.Id == number);
        _ = _async ? await rows.SingleAsync(cutOff) : rows.Single();
        return 0;
    }
}
