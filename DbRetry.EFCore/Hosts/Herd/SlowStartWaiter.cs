using System.Diagnostics.CodeAnalysis;

namespace DbRetry.EFCore.Hosts.Herd;

/// <summary>One who is kept from opening a connection by a <see cref="SlowStart"/>.</summary>
[SuppressMessage("Design", "CA1001", Justification = "Whoever sets the event may still be inside Set when Wait returns; without a wait handle there is nothing to free.")]
internal sealed class SlowStartWaiter
{
    private readonly TaskCompletionSource? _task;
    private readonly ManualResetEventSlim? _event;

    internal SlowStartWaiter(bool blocking)
    {
        Place = new LinkedListNode<SlowStartWaiter>(this);
        if (blocking)
        {
            _event = new ManualResetEventSlim();
        }
        else
        {
            _task = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>Among the waiters, for as long as it was not let in.</summary>
    internal LinkedListNode<SlowStartWaiter> Place { get; }

    internal void LetIn()
    {
        _event?.Set();
        _task?.TrySetResult();
    }

    /// <summary>Blocks the thread, for synchronous callers only; false when the time was over before.</summary>
    internal bool Wait(TimeSpan limit) => _event!.Wait(limit);

    /// <inheritdoc cref="Wait"/>
    internal Task WaitAsync(CancellationToken cancellationToken) => _task!.Task.WaitAsync(cancellationToken);
}
