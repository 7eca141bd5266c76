using System.Runtime.CompilerServices;
using Npgsql;

namespace DbRetry.EFCore.Hosts;

/// <summary>
/// Lets a caller who cancels go at once. Npgsql hears of it only when a host that negotiates encryption answers, or the time for connecting is over
/// (npgsql 10.0.0, NpgsqlConnector.cs, SetupEncryption; Hosts/CancelledOpenTests), and until then the connection can be neither closed nor disposed.
/// </summary>
internal static class AbandonedOpens
{
    private static readonly ConditionalWeakTable<NpgsqlConnection, Task> Finishing = [];
    private static volatile bool _any;

    /// <exception cref="OperationCanceledException">The caller cancelled; the connection may be <see cref="IsPending"/>.</exception>
    internal static async Task OpenAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var opening = connection.OpenAsync(cancellationToken);
        try
        {
            await (opening.IsCompleted ? opening : opening.WaitAsync(cancellationToken)).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!opening.IsCompleted)
        {
            _any = true;
            Finishing.AddOrUpdate(connection, FinishAsync(connection, opening));
            throw;
        }
    }

    /// <summary>Whether the connection is still being opened for somebody who has gone.</summary>
    internal static bool IsPending(NpgsqlConnection connection)
        => _any && Finishing.TryGetValue(connection, out var finishing) && !finishing.IsCompleted;

    /// <summary>Completes when the connection can be used again.</summary>
    internal static Task FinishedAsync(NpgsqlConnection connection)
        => _any && Finishing.TryGetValue(connection, out var finishing) ? finishing : Task.CompletedTask;

    /// <summary>Blocks the thread until the connection can be used again, for synchronous callers only.</summary>
    internal static void WaitUntilFinished(NpgsqlConnection connection)
    {
        if (IsPending(connection))
        {
            var finished = new ManualResetEventSlim(); // Not disposed: the task may still be inside Set when Wait returns.
            _ = FinishedAsync(connection).ContinueWith(
                static (_, finished) => ((ManualResetEventSlim)finished!).Set(),
                finished,
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
            finished.Wait();
        }
    }

    /// <summary>Disposes the connection as soon as that is possible.</summary>
    internal static void DisposeWhenFinished(NpgsqlConnection connection)
        => _ = FinishedAsync(connection).ContinueWith(
            static (_, connection) => ((NpgsqlConnection)connection!).Dispose(),
            connection,
            CancellationToken.None,
            TaskContinuationOptions.None,
            TaskScheduler.Default);

    private static async Task FinishAsync(NpgsqlConnection connection, Task opening)
    {
        await opening.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await connection.CloseAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
