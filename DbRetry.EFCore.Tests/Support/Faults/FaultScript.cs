namespace DbRetry.EFCore.Tests.Support.Faults;

/// <summary>The faults that are still to come and the messages that came by, over all connections of one proxy.</summary>
internal sealed class FaultScript
{
    private readonly Lock _lock = new();
    private readonly List<FaultPoint> _armed = [];
    private readonly List<ProxiedMessage> _messages = [];
    private TaskCompletionSource<ProxiedMessage> _fired = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _count;
    private int _firedCount;

    public bool Recording { get; set; } = true;

    public long Count => Interlocked.Read(ref _count);

    public int FiredCount => Volatile.Read(ref _firedCount);

    public Task<ProxiedMessage> Fired
    {
        get
        {
            lock (_lock)
            {
                return _fired.Task;
            }
        }
    }

    public IReadOnlyList<ProxiedMessage> Messages
    {
        get
        {
            lock (_lock)
            {
                return [.. _messages];
            }
        }
    }

    public void Arm(IEnumerable<FaultPoint> faults)
    {
        lock (_lock)
        {
            _armed.Clear();
            _armed.AddRange(faults);
            _messages.Clear();
            _count = 0;
            _firedCount = 0;
            _fired = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public void Add(FaultPoint fault)
    {
        lock (_lock)
        {
            _armed.Add(fault);
        }
    }

    /// <summary>Takes note of a message and returns the fault that it sets off.</summary>
    public FaultPoint? Observe(int connection, Sender sender, char type, string? sql)
    {
        lock (_lock)
        {
            var message = new ProxiedMessage(connection, ++_count, sender, type, sql);
            if (Recording)
            {
                _messages.Add(message);
            }
            var index = _armed.FindIndex(fault => fault.Where(message));
            if (index < 0)
            {
                return null;
            }
            var found = _armed[index];
            if (!found.Repeat)
            {
                _armed.RemoveAt(index);
            }
            _firedCount++;
            _fired.TrySetResult(message);
            return found;
        }
    }
}
