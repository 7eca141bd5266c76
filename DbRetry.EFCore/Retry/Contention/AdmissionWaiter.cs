namespace DbRetry.EFCore.Retry.Contention;

/// <summary>One attempt that waits at an <see cref="AdmissionGate"/>, which holds its lock whenever it changes this.</summary>
internal sealed class AdmissionWaiter
{
    private readonly Wakeup _wakeup;
    private AdmissionPass _pass;

    internal AdmissionWaiter(AdmissionGate gate, AdmissionRank rank, int? lane, long since, bool blocking)
    {
        Gate = gate;
        Rank = rank;
        Lane = lane;
        Since = since;
        Place = new LinkedListNode<AdmissionWaiter>(this);
        _wakeup = new Wakeup(blocking);
    }

    internal AdmissionGate Gate { get; }

    internal AdmissionRank Rank { get; }

    /// <summary>The lane that it waits for; <see langword="null"/> while it has not begun.</summary>
    internal int? Lane { get; }

    /// <summary>When it began to wait, by the time provider's timestamp.</summary>
    internal long Since { get; }

    /// <summary>In a queue of the gate for as long as it waits.</summary>
    internal LinkedListNode<AdmissionWaiter> Place { get; }

    internal void LetIn(AdmissionPass pass)
    {
        _pass = pass;
        _wakeup.Set();
    }

    internal void Cancel(CancellationToken cancellationToken) => _wakeup.Cancel(cancellationToken);

    /// <summary>Blocks the thread, for synchronous callers only.</summary>
    internal AdmissionPass Wait()
    {
        _wakeup.Wait();
        return _pass;
    }

    /// <inheritdoc cref="Wait"/>
    internal async Task<AdmissionPass> WaitAsync()
    {
        await _wakeup.WaitAsync().ConfigureAwait(false);
        return _pass;
    }
}
