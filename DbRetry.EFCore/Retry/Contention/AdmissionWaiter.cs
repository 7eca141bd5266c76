using System.Diagnostics.CodeAnalysis;

namespace DbRetry.EFCore.Retry.Contention;

/// <summary>One attempt that waits at an <see cref="AdmissionGate"/>, which holds its lock whenever it changes this.</summary>
[SuppressMessage("Design", "CA1001", Justification = "Whoever sets the event may still be inside Set when Wait returns; without a wait handle there is nothing to free.")]
internal sealed class AdmissionWaiter
{
    private readonly TaskCompletionSource<AdmissionPass>? _task;
    private readonly ManualResetEventSlim? _event;
    private AdmissionPass _pass;

    internal AdmissionWaiter(AdmissionGate gate, AdmissionRank rank, int? lane, long since, bool blocking)
    {
        Gate = gate;
        Rank = rank;
        Lane = lane;
        Since = since;
        Place = new LinkedListNode<AdmissionWaiter>(this);
        if (blocking)
        {
            _event = new ManualResetEventSlim();
        }
        else
        {
            _task = new TaskCompletionSource<AdmissionPass>(TaskCreationOptions.RunContinuationsAsynchronously);
        }
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
        _event?.Set();
        _task?.TrySetResult(pass);
    }

    internal void Cancel(CancellationToken cancellationToken) => _task?.TrySetCanceled(cancellationToken);

    /// <summary>Blocks the thread, for synchronous callers only.</summary>
    internal AdmissionPass Wait()
    {
        _event!.Wait();
        return _pass;
    }

    /// <inheritdoc cref="Wait"/>
    internal Task<AdmissionPass> WaitAsync() => _task!.Task;
}
