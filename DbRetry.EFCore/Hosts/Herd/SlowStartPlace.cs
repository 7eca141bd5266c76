using System.Data;
using Npgsql;

namespace DbRetry.EFCore.Hosts.Herd;

/// <summary>The right to open a connection; to be disposed when it is open, or could not be opened.</summary>
internal readonly struct SlowStartPlace(SlowStart? start, NpgsqlConnection connection, TimeProvider time) : IDisposable
{
    private readonly long _enteredAt = time.GetTimestamp();

    public void Dispose() => start?.Opened(connection.State is ConnectionState.Open ? time.GetElapsedTime(_enteredAt) : null);
}
