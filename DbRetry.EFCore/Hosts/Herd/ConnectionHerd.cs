using Npgsql;

namespace DbRetry.EFCore.Hosts.Herd;

/// <summary>All who want a connection of one route to a host that has just become the primary, because they have lost theirs.</summary>
internal sealed class ConnectionHerd(Cluster cluster)
{
    private readonly Lock _lock = new();
    private SlowStart? _start;
    private int _term = cluster.Term;

    /// <summary>Whether anybody may have to wait for his turn.</summary>
    internal bool IsStarting => Volatile.Read(ref _start) is { IsOver: false };

    /// <summary>Returns when a connection to a host may be opened. What it returns is to be disposed afterwards.</summary>
    internal SlowStartPlace Enter(NpgsqlConnection connection, int host, TimeProvider time)
    {
        if (Start(host, time) is not { } start)
        {
            return default;
        }

        start.Enter();
        return new(start, connection, time);
    }

    /// <inheritdoc cref="Enter"/>
    internal ValueTask<SlowStartPlace> EnterAsync(NpgsqlConnection connection, int host, TimeProvider time, CancellationToken cancellationToken)
    {
        return Start(host, time) is { } start ? EnterAsync(start) : default;

        async ValueTask<SlowStartPlace> EnterAsync(SlowStart start)
        {
            await start.EnterAsync(cancellationToken).ConfigureAwait(false);
            return new(start, connection, time);
        }
    }

    /// <summary>A connection to a host is free again.</summary>
    internal void Returned(int host)
    {
        if (Volatile.Read(ref _start) is { } start && cluster.Primary == host)
        {
            start.Returned();
        }
    }

    /// <summary>Tells that a connection to a host is free again, when that was closed: to be disposed after it.</summary>
    internal ReturnedLater Returning(int host) => new(this, host);

    /// <summary>Whose turn it is to open a connection to a host; <see langword="null"/> where nobody has to wait for his.</summary>
    internal SlowStart? Start(int host, TimeProvider time)
    {
        if (cluster.Primary != host)
        {
            return null;
        }

        if (Volatile.Read(ref _term) != cluster.Term)
        {
            BeginTerm(time);
        }

        return Volatile.Read(ref _start) is { IsOver: false } start ? start : null;
    }

    private void BeginTerm(TimeProvider time)
    {
        lock (_lock)
        {
            var term = cluster.Term;
            if (_term != term)
            {
                _start?.Dispose();
                Volatile.Write(ref _start, term > 1 ? new SlowStart(time) : null); // In the first term of a process nobody has lost a connection.
                Volatile.Write(ref _term, term);
            }
        }
    }

    /// <inheritdoc cref="Returning"/>
    internal readonly struct ReturnedLater(ConnectionHerd herd, int host) : IDisposable
    {
        public void Dispose() => herd.Returned(host);
    }
}
