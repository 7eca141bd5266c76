using System.Data.Common;
using DbRetry.EFCore.Diagnostics;
using DbRetry.EFCore.Retry.Reporting;
using Npgsql;

namespace DbRetry.EFCore.Retry.Fencing;

/// <summary>
/// Ends the session that a failed attempt left on its server, as soon as the next attempt has a connection to that server. A server that does not notice
/// that its client is gone keeps the session's transaction open, and with it the locks that the next attempt needs (ServerBehavior/SilentConnectionFacts).
/// </summary>
internal sealed class SessionFence(ContextSettings context, AttemptLog log, EventReporter reporter, TimeProvider time)
{
    /// <summary>A connection was opened.</summary>
    internal void Opened(DbConnection connection)
    {
        if (Prepare(connection) is not { } end)
        {
            return;
        }

        using (end)
        {
            try
            {
                Ended(end.ExecuteScalar());
            }
            catch (Exception) when (IsOfNoConsequence(end, CancellationToken.None))
            {
                // The next attempt may have to wait for a lock, or may not.
            }
            catch
            {
                connection.Close();
                throw;
            }
        }

        Done();
    }

    /// <inheritdoc cref="Opened"/>
    internal Task OpenedAsync(DbConnection connection, CancellationToken cancellationToken)
        => Prepare(connection) is { } end ? EndAsync(connection, end, cancellationToken) : Task.CompletedTask;

    private async Task EndAsync(DbConnection connection, NpgsqlCommand end, CancellationToken cancellationToken)
    {
        await using (end.ConfigureAwait(false))
        {
            try
            {
                Ended(await end.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false));
            }
            catch (Exception) when (IsOfNoConsequence(end, cancellationToken))
            {
                // As above.
            }
            catch
            {
                await connection.CloseAsync().ConfigureAwait(false);
                throw;
            }
        }

        Done();
    }

    private NpgsqlCommand? Prepare(DbConnection opened)
    {
        if (log.LeftBehind is not { } left
            || opened is not NpgsqlConnection connection
            || ServerSession.Of(connection, left.Since) is not { } now
            || !FenceRule.CanEnd(left, now))
        {
            return null;
        }

        // What fails here is part of the open: nothing of the attempt has started.
        log.Enter(AttemptPhase.Opening);
        var command = FenceQuery.End(connection, left.ProcessId, time.GetElapsedTime(left.Since));
        command.CommandTimeout = (int)Math.Ceiling(context.Settings!.HostTimeout.TotalSeconds);
        return command;
    }

    // A role that may not look, a server that knows no such function: nothing is lost but time.
    private static bool IsOfNoConsequence(NpgsqlCommand end, CancellationToken cancellationToken)
        => !end.Connection!.IsGone() && !cancellationToken.IsCancellationRequested;

    private void Ended(object? answer)
    {
        if (answer is true && log.LeftBehind is { } left)
        {
            reporter.Retry.SessionEnded(left.ProcessId, $"{left.Host}:{left.Port}");
        }
    }

    private void Done()
    {
        log.LeftBehind = null;
        log.Enter(AttemptPhase.None);
    }
}
