namespace DbRetry.EFCore.Tests.Support.Failover;

/// <summary>The callers of one round, all at work at the same time.</summary>
internal sealed class Load : IDisposable
{
    /// <summary>How long those who are waiting are still listened to after the last call was made.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(2);

    private readonly CancellationTokenSource _closing = new();
    private readonly CancellationTokenSource _cutOff = new();
    private readonly Caller[] _callers;
    private readonly Task _running;

    public Load(IEnumerable<Caller> callers)
    {
        _callers = [.. callers];

        // What the callers do is nobody's but theirs: nothing flows from whoever watches them.
        using (ExecutionContext.SuppressFlow())
        {
            _running = Task.WhenAll(_callers.Select(caller => Task.Run(() => caller.RunAsync(_closing.Token, _cutOff.Token))));
        }
    }

    public IEnumerable<Call> Calls => _callers.SelectMany(caller => caller.Calls);

    /// <summary>Waits until everybody was served that often; false when the time is over before.</summary>
    public Task<bool> ReachAsync(int acknowledged, TimeSpan limit, CancellationToken cancellationToken)
        => WaitAsync(caller => caller.Acknowledged >= acknowledged, limit, cancellationToken);

    /// <summary>Waits until an outage is over for everybody; false when the time is over before.</summary>
    public Task<bool> BackAsync(Outage outage, TimeSpan limit, CancellationToken cancellationToken)
        => WaitAsync(caller => caller.LastAcknowledged is { } last && outage.IsOverFor(last), limit, cancellationToken);

    /// <param name="release">Frees whoever hangs in a server that was broken.</param>
    /// <param name="hurry">Nobody is waited for: synchronous callers, who cannot be cancelled, may wait for a primary for a minute.</param>
    public async Task StopAsync(Func<Task> release, CancellationToken hurry)
    {
        await _closing.CancelAsync();
        await Task.WhenAny(_running, Task.Delay(Patience, hurry));
        if (_running.IsCompleted)
        {
            return;
        }

        // Npgsql's cancellation may block its caller for long.
        var cutting = Task.Run(_cutOff.Cancel, CancellationToken.None);
        if (!hurry.IsCancellationRequested)
        {
            await Task.WhenAny(cutting, Task.Delay(Look, hurry));
            await release();
            await _running.WaitAsync(hurry);
        }
    }

    public void Dispose()
    {
        if (_running.IsCompleted)
        {
            _closing.Dispose();
            _cutOff.Dispose();
        }
    }

    private async Task<bool> WaitAsync(Func<Caller, bool> condition, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(limit);
        while (!_callers.All(condition))
        {
            if (timer.IsCancellationRequested)
            {
                return false;
            }
            await Task.Delay(Look, cancellationToken);
        }
        return true;
    }
}
