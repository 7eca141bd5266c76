using System.Net.Sockets;
using Npgsql;

namespace DbRetry.Demo.Load;

/// <summary>Counts retries by what made them necessary.</summary>
internal sealed class RetryTally
{
    private int _conflicts;
    private int _connections;
    private int _others;

    /// <summary>Serialization failures and deadlocks.</summary>
    public int Conflicts => _conflicts;

    /// <summary>Connections that broke or could not be had.</summary>
    public int Connections => _connections;

    public int Others => _others;

    public void Add(Exception exception)
    {
        ref var count = ref _others;
        for (var inner = exception; inner is not null; inner = inner.InnerException)
        {
            switch (inner)
            {
                case PostgresException { SqlState: PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected }:
                    count = ref _conflicts;
                    break;
                case PostgresException postgres when SaysGoodbye(postgres.SqlState):
                case NpgsqlException and not PostgresException:
                case SocketException or IOException or ObjectDisposedException:
                    count = ref _connections;
                    break;
                default:
                    continue;
            }
            break;
        }
        Interlocked.Increment(ref count);
    }

    // Class 08, the shutdowns 57P0x, too many connections, and a standby that is taken for the primary.
    private static bool SaysGoodbye(string sqlState) =>
        sqlState.StartsWith("08", StringComparison.Ordinal)
        || sqlState.StartsWith("57P", StringComparison.Ordinal)
        || sqlState is PostgresErrorCodes.TooManyConnections or PostgresErrorCodes.ReadOnlySqlTransaction;
}
