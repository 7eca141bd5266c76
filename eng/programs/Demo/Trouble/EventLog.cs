using System.Collections.Concurrent;

namespace DbRetry.Demo.Trouble;

/// <summary>What was done to the cluster, and when.</summary>
internal sealed class EventLog(Clock clock)
{
    private readonly ConcurrentQueue<(TimeSpan At, string Text)> _events = new();

    public IReadOnlyCollection<(TimeSpan At, string Text)> Events => _events;

    public void Add(string text) => _events.Enqueue((clock.Elapsed, text));
}
