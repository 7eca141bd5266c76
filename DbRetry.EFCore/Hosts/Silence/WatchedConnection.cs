using DbRetry.EFCore.Retry;
using DbRetry.EFCore.Seams;
using Npgsql;

namespace DbRetry.EFCore.Hosts.Silence;

/// <summary>The connection of one context, and since when it has waited for an answer.</summary>
internal sealed class WatchedConnection(RetrySettings settings, Random random)
{
    private readonly Lock _lock = new();
    private NpgsqlConnection? _connection;
    private HostRef _host;
    private long _sentAt;

    internal RetrySettings Settings { get; } = settings;

    internal Random Random { get; } = random;

    /// <summary>Whether its watch has it on its list; only the watch writes it.</summary>
    internal bool IsListed { get; set; }

    internal HostRef Host
    {
        get
        {
            lock (_lock)
            {
                return _host;
            }
        }
    }

    internal void Sent(NpgsqlConnection connection, HostRef host, long timestamp)
    {
        lock (_lock)
        {
            (_connection, _host, _sentAt) = (connection, host, timestamp);
        }
    }

    /// <summary>Since when it waits for an answer of a host; <see langword="null"/> if it does not.</summary>
    internal long? WaitsSince(int host)
    {
        lock (_lock)
        {
            return _host.Index == host && _connection is { } connection && ConnectorState.IsWaiting(connection) ? _sentAt : null;
        }
    }

    /// <summary>Lets go of a connection that waits for nothing; false if it does wait, or is just about to.</summary>
    internal bool Release(TimeProvider time)
    {
        lock (_lock)
        {
            if (_connection is { } connection && (time.GetElapsedTime(_sentAt) < SilenceWatch.Interval || ConnectorState.IsWaiting(connection)))
            {
                return false;
            }

            _connection = null;
            return true;
        }
    }

    /// <summary>Ends the wait for an answer of a host: whoever waits is told at once that none will come.</summary>
    internal bool GiveUp(int host)
    {
        lock (_lock)
        {
            if (_host.Index != host || _connection is not { } connection || !ConnectorState.IsWaiting(connection))
            {
                return false;
            }

            ConnectorState.BreakSocket(connection);
            return true;
        }
    }
}
