using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Tracing;

namespace DbRetry.Failover;

/// <summary>
/// Every connection that this process begins to make, those included that no server hears of: the runtime's own account. What the program itself does, to
/// break, watch and mend servers, does not count.
/// </summary>
internal sealed class ConnectionAttempts : EventListener
{
    private static readonly AsyncLocal<bool> Ours = new();

    private readonly ConcurrentQueue<(long At, int Port)> _attempts = new();

    /// <summary>From here on, and in everything that is begun from here, nothing counts. Callers begin without what flows from here.</summary>
    public static void LeaveUsOut() => Ours.Value = true;

    public int Between(long from, long to, IReadOnlySet<int> ports)
        => _attempts.Count(attempt => attempt.At >= from && attempt.At <= to && ports.Contains(attempt.Port));

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == "System.Net.Sockets")
        {
            EnableEvents(eventSource, EventLevel.Informational);
        }
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (eventData.EventName == "ConnectStart" && !Ours.Value && eventData.Payload is [string address, ..])
        {
            _attempts.Enqueue((Stopwatch.GetTimestamp(), PortOf(address)));
        }
    }

    // A socket address in the runtime's own writing, the port in its first two bytes: InterNetwork:16:{78,32,127,0,0,1,…}
    private static int PortOf(string address)
        => address[(address.IndexOf('{') + 1)..].Split(',') is [var high, var low, ..] && int.TryParse(high, out var first) && int.TryParse(low, out var second)
            ? (first << 8) + second
            : 0;
}
