using Npgsql;

namespace DbRetry.EFCore.Retry.Contention;

/// <summary>Learns which attempts have to take turns with those of other processes. Decides only; does not wait.</summary>
/// <remarks>
/// <para>
/// Nobody can tell at first whether others than those of this process are in the way. So the units of a kind that began to lose take the lock until it was found free
/// often enough, and as long as more than one in <see cref="ForOther"/> + 1 shows that there are others: it has to wait, and would have lost, or it did lose that
/// had its lane to itself. (The latter only where somebody had to wait: within one process units also lose to such as begin with other statements.) Who
/// does not take the lock makes those lose who do, and they cannot defend themselves: so few are enough.
/// </para>
/// <para>
/// Below that, one lane may be hot for all processes and the others not; so each lane has a counter of its own, or shares one with a
/// few others. What an attempt lost to that had its lane to itself was somebody else's, and a loss is worth some locks: so many are spent on that lane.
/// </para>
/// </remarks>
internal sealed class LaneLockRule
{
    private const int Lanes = 1024;
    private const int ForLoss = 5;
    private const int ForWait = 8;
    private const int MostOfLane = 16;
    private const int ForOther = 16;
    private const int Most = 64;

    private readonly sbyte[] _lanes = new sbyte[Lanes];
    private Tendency _others = Tendency.Certain(ForOther);
    private bool _hasMetOthers;
    private bool _isRefused;

    /// <summary>Whether an attempt in this lane takes the lock.</summary>
    /// <param name="lane">The lane.</param>
    /// <param name="rank">Whose last chance it is takes it in any case.</param>
    internal bool Locks(int lane, AdmissionRank rank)
        => !_isRefused && (rank is AdmissionRank.Alone || _others.IsCertain || _lanes[Index(lane)] > 0);

    /// <summary>Takes in how an attempt ended.</summary>
    /// <param name="lane">Its lane.</param>
    /// <param name="taken">What became of the lock.</param>
    /// <param name="conflict">Whether it lost.</param>
    /// <param name="hadCompany">Whether others of this process were in the lane.</param>
    internal void Ended(int lane, LaneLockResult taken, bool conflict, bool hadCompany)
    {
        switch (taken)
        {
            case LaneLockResult.NotTaken when conflict:
                Count(lane, !hadCompany || _others.IsCertain ? ForLoss : 0);
                if (_hasMetOthers && !hadCompany)
                {
                    Note(others: true);
                }

                break;
            case LaneLockResult.Free or LaneLockResult.Waited:
                _hasMetOthers |= taken is LaneLockResult.Waited;
                Count(lane, taken is LaneLockResult.Waited ? ForWait : -1);
                Note(others: taken is LaneLockResult.Waited || (_hasMetOthers && conflict && !hadCompany));
                break;
            case LaneLockResult.TimedOut:
                // Whoever holds it is stuck. Let the others pass.
                _others = default;
                Count(lane, -MostOfLane);
                break;
            case LaneLockResult.Refused:
                _isRefused = true;
                break;
        }
    }

    /// <summary>What a failure to take the lock means; <see langword="null"/> where it is the caller's to know of.</summary>
    internal static LaneLockResult? Result(Exception exception)
        => exception switch
        {
            PostgresException
            {
                SqlState: PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled or PostgresErrorCodes.DeadlockDetected
            } => LaneLockResult.TimedOut,
            PostgresException => LaneLockResult.Refused,
            NpgsqlException { InnerException: TimeoutException } => LaneLockResult.TimedOut,
            _ => null,
        };

    private static int Index(int lane) => (int)((uint)lane % Lanes);

    private void Count(int lane, int by) => _lanes[Index(lane)] = (sbyte)Math.Clamp(_lanes[Index(lane)] + by, 0, MostOfLane);

    private void Note(bool others) => _others.Note(others, ForOther, Most);
}
