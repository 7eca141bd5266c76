using System.Diagnostics.CodeAnalysis;

namespace DbRetry.EFCore.Retry.Contention;

/// <summary>One attempt that waits at an <see cref="AdmissionGate"/>, which holds its lock whenever it changes this.</summary>
[SuppressMessage("Design", "CA1001", Justification = "Whoever sets the event may still be inside Set when Wait returns; without a wait handle there is nothing to free.")]
internal sealed class AdmissionWaiter
{
    private readonly TaskCompletionSource<bool>? _task;
    private readonly ManualResetEventSlim? _event;
    private bool _alone;

    internal AdmissionWaiter(AdmissionGate gate, AdmissionRank rank, long since, bool blocking)
    {
        Gate = gate;
        Rank = rank;
        Since = since;
        Place = new LinkedListNode<AdmissionWaiter>(this);
        if (blocking)
        {
            _event = new ManualResetEventSlim();
        }
        else
        {
            _task = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    internal AdmissionGate Gate { get; }

    internal AdmissionRank Rank { get; }

    /// <summary>When it began to wait, by the time provider's timestamp.</summary>
    internal long Since { get; }

    /// <summary>In a queue of the gate for as long as it waits.</summary>
    internal LinkedListNode<AdmissionWaiter> Place { get; }

    internal void LetIn(bool alone)
    {
        _alone = alone;
        _event?.Set();
        _task?.TrySetResult(alone);
    }

    internal void Cancel(CancellationToken cancellationToken) => _task?.TrySetCanceled(cancellationToken);

    /// <summary>Blocks the thread, for synchronous callers only.</summary>
    /// <returns>Whether it was let in alone.</returns>
    internal bool Wait()
    {
        _event!.Wait();
        return _alone;
    }

    /// <inheritdoc cref="Wait"/>
    internal Task<bool> WaitAsync() => _task!.Task;
}
