using System.Diagnostics.CodeAnalysis;

namespace DbRetry.EFCore.Retry;

/// <summary>What one caller waits for until somebody sets it: asynchronously, or, if he is a synchronous one, by blocking his thread.</summary>
[SuppressMessage("Design", "CA1001", Justification = "Whoever sets the event may still be inside Set when Wait returns; without a wait handle there is nothing to free.")]
internal sealed class Wakeup
{
    private readonly TaskCompletionSource? _task;
    private readonly ManualResetEventSlim? _event;

    /// <param name="blocking">Whether the caller will <see cref="Wait()"/> rather than <see cref="WaitAsync"/>.</param>
    internal Wakeup(bool blocking)
    {
        if (blocking)
        {
            _event = new ManualResetEventSlim();
        }
        else
        {
            _task = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    internal void Set()
    {
        _event?.Set();
        _task?.TrySetResult();
    }

    internal void Cancel(CancellationToken cancellationToken) => _task?.TrySetCanceled(cancellationToken);

    /// <summary>Blocks the thread, for synchronous callers only.</summary>
    internal void Wait() => _event!.Wait();

    /// <summary>Blocks the thread, for synchronous callers only; false when the time was over before.</summary>
    internal bool Wait(TimeSpan limit) => _event!.Wait(limit);

    /// <exception cref="OperationCanceledException">The caller cancelled, or was cancelled.</exception>
    internal Task WaitAsync(CancellationToken cancellationToken = default) => _task!.Task.WaitAsync(cancellationToken);
}
