using DbRetry.EFCore.Seams;
using Npgsql;

namespace DbRetry.EFCore.Commits;

/// <summary>Ends the connection when COMMIT is not answered within its command timeout, a little before Npgsql would.</summary>
/// <remarks>
/// Npgsql asks the server to cancel, and a COMMIT that waits for a synchronous standby is then acknowledged although a failover may lose it
/// (ServerBehavior/SynchronousCommitFacts). A broken connection cancels nothing, and the outcome is established as after any other loss.
/// </remarks>
internal sealed class AnswerLimit : IDisposable
{
    private readonly Lock _lock = new();
    private readonly NpgsqlConnection _connection;
    private readonly ITimer? _timer;
    private bool _over;

    private AnswerLimit(NpgsqlConnection connection, TimeProvider time)
    {
        _connection = connection;
        if (connection.CommandTimeout > 0)
        {
            _timer = time.CreateTimer(
                static limit => ((AnswerLimit)limit!).Break(), this, TimeSpan.FromSeconds(connection.CommandTimeout * 0.9), Timeout.InfiniteTimeSpan);
        }
    }

    internal static AnswerLimit Start(NpgsqlConnection connection, TimeProvider time) => new(connection, time);

    public void Dispose()
    {
        _timer?.Dispose();
        lock (_lock)
        {
            _over = true;
        }
    }

    // Never once the answer is there: the connection may serve somebody else by then.
    private void Break()
    {
        lock (_lock)
        {
            if (!_over)
            {
                ConnectorState.BreakSocket(_connection);
            }
        }
    }
}
