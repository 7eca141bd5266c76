using DbRetry.EFCore.Diagnostics;
using Microsoft.Extensions.Logging;

namespace DbRetry.EFCore.Retry.Reporting;

/// <summary>What the application wants to be called about.</summary>
internal sealed record Callbacks
{
    internal required Callback<RetryEvent> OnRetry { get; init; }

    internal required Callback<FailoverEvent> OnFailover { get; init; }

    internal required Callback<DoubtEvent> OnDoubtResolved { get; init; }

    internal static Callbacks Of(DbRetryOptions options)
        => new()
        {
            OnRetry = new(nameof(DbRetryOptions.OnRetry), options.OnRetry, options.OnRetryAsync),
            OnFailover = new(nameof(DbRetryOptions.OnFailover), options.OnFailover, options.OnFailoverAsync),
            OnDoubtResolved = new(nameof(DbRetryOptions.OnDoubtResolved), options.OnDoubtResolved, options.OnDoubtResolvedAsync),
        };
}

/// <summary>The two forms of one callback. What they throw is logged and goes no further: they report, and have no say.</summary>
/// <param name="Name">The name of the option.</param>
/// <param name="Sync">Called from synchronous and from asynchronous code.</param>
/// <param name="Async">Awaited in asynchronous code only: synchronous code could do no better than to block a thread.</param>
internal readonly record struct Callback<T>(string Name, Action<T>? Sync, Func<T, CancellationToken, ValueTask>? Async)
{
    internal void Call(T happened, ILogger logger)
    {
        try
        {
            Sync?.Invoke(happened);
        }
        catch (Exception exception)
        {
            logger.CallbackFailed(exception, Name);
        }
    }

    internal ValueTask CallAsync(T happened, ILogger logger, CancellationToken cancellationToken)
    {
        Call(happened, logger);
        return Async is null ? ValueTask.CompletedTask : AwaitAsync(Async, happened, logger, cancellationToken);
    }

    private async ValueTask AwaitAsync(
        Func<T, CancellationToken, ValueTask> callback, T happened, ILogger logger, CancellationToken cancellationToken)
    {
        try
        {
            await callback(happened, cancellationToken).AsTask().WaitAsync(cancellationToken).ConfigureAwait(true);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Whoever is called next by the unit notices it as well.
        }
        catch (Exception exception)
        {
            logger.CallbackFailed(exception, $"{Name}Async");
        }
    }
}
