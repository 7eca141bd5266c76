namespace DbRetry.EFCore.Retry.Contention;

/// <summary>Who runs in which lane: attempts of one kind whose first statements are alike want the same rows and share one (<see cref="StatementKey"/>).</summary>
/// <remarks>Guarded by the lock of its <see cref="AdmissionGate"/>.</remarks>
internal sealed class AdmissionLanes
{
    private readonly Dictionary<int, (int Running, int Entered, bool IsLocked)> _occupied = [];
    private readonly LaneRule _rule = new();
    private readonly LaneLockRule _lockRule = new();

    /// <summary>Whether those of one lane go one after the other.</summary>
    internal bool TakeTurns => _rule.TakesTurns;

    internal bool IsFree(int lane) => !_occupied.ContainsKey(lane);

    /// <summary>Whether an attempt that is about to enter a lane must wait for it.</summary>
    internal bool IsClosed(int lane, AdmissionRank rank)
        => _occupied.TryGetValue(lane, out var occupied) && (occupied.IsLocked || _lockRule.Locks(lane, rank) || _rule.Waits());

    internal AdmissionPass Enter(AdmissionPass pass, int lane, AdmissionRank rank)
    {
        var (running, entered, isLocked) = _occupied.GetValueOrDefault(lane);
        var locks = _lockRule.Locks(lane, rank);
        _occupied[lane] = (running + 1, entered + 1, isLocked || locks);
        return pass with { Lane = lane, IsBeside = running > 0, Entry = entered + 1, NeedsLock = locks };
    }

    internal void Leave(AdmissionPass pass, bool conflict)
    {
        if (pass.Lane is not { } lane)
        {
            return;
        }

        var (running, entered, isLocked) = _occupied[lane];
        if (running == 1)
        {
            _occupied.Remove(lane);
        }
        else
        {
            _occupied[lane] = (running - 1, entered, isLocked);
        }

        var hadCompany = pass.IsBeside || entered != pass.Entry;
        if (pass.IsBeside && pass.Lock is LaneLockResult.NotTaken)
        {
            _rule.Ended(conflict);
        }

        _lockRule.Ended(lane, pass.Lock, conflict, hadCompany);
    }
}
