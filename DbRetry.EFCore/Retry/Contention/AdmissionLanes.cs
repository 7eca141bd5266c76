namespace DbRetry.EFCore.Retry.Contention;

/// <summary>Who runs in which lane: attempts of one kind whose first statements are alike want the same rows and share one (<see cref="StatementKey"/>).</summary>
/// <remarks>Guarded by the lock of its <see cref="AdmissionGate"/>.</remarks>
internal sealed class AdmissionLanes
{
    private readonly Dictionary<int, int> _running = [];
    private readonly LaneRule _rule = new();

    /// <summary>Whether those of one lane go one after the other.</summary>
    internal bool TakeTurns => _rule.TakesTurns;

    internal bool IsFree(int lane) => !_running.ContainsKey(lane);

    /// <summary>Whether an attempt that is about to enter a lane must wait for it.</summary>
    internal bool IsClosed(int lane) => !IsFree(lane) && _rule.Waits();

    internal AdmissionPass Enter(AdmissionPass pass, int lane)
    {
        var before = _running.GetValueOrDefault(lane);
        _running[lane] = before + 1;
        return pass with { Lane = lane, IsBeside = before > 0 };
    }

    internal void Leave(AdmissionPass pass, bool conflict)
    {
        if (pass.Lane is not { } lane)
        {
            return;
        }

        if (_running[lane] == 1)
        {
            _running.Remove(lane);
        }
        else
        {
            _running[lane]--;
        }

        if (pass.IsBeside)
        {
            _rule.Ended(conflict);
        }
    }
}
