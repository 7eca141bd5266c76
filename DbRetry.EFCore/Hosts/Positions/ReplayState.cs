namespace DbRetry.EFCore.Hosts.Positions;

/// <summary>How far the history goes that one host shows.</summary>
/// <param name="SystemIdentifier">The cluster's.</param>
/// <param name="IsPrimary">Whether it is not in recovery.</param>
/// <param name="Timeline">
/// The timeline that a primary writes; of a standby, the latest one that it certainly follows. <see langword="null"/> if nothing shows that.
/// </param>
/// <param name="ReplayedLsn">How far a standby has replayed; <see langword="null"/> for nothing yet.</param>
internal readonly record struct ReplayState(long SystemIdentifier, bool IsPrimary, int? Timeline, long? ReplayedLsn)
{
    /// <summary>Why the host may not show everything up to a position, in a few words; <see langword="null"/> if it does.</summary>
    /// <remarks>
    /// WAL positions of different timelines compare only where one timeline is the other's past. A standby that has not followed the promotion may have
    /// replayed more of the old timeline than the new one has, and lacks all that is new: so its timeline must be seen to be as late as the position's. A
    /// later one is the position's future, or the write is lost, and with it the wait for it.
    /// </remarks>
    internal string? WhyNot(CommitPosition position)
    {
        if (SystemIdentifier != position.SystemIdentifier)
        {
            // Nobody has what another cluster wrote. The primary has at least all that this one did.
            return IsPrimary ? null : "the position to read after is of another cluster";
        }

        if (Timeline is not { } timeline || timeline < position.Timeline)
        {
            return IsPrimary
                ? $"it is a primary of timeline {Timeline}, and the position to read after is of timeline {position.Timeline}"
                : $"it does not show that it follows timeline {position.Timeline}, of which the position to read after is";
        }

        return IsPrimary || ReplayedLsn >= position.Lsn
            ? null
            : $"it has replayed {(ReplayedLsn is { } replayed ? $"up to {CommitPosition.Format(replayed)}" : "nothing")}, and is to be read after {CommitPosition.Format(position.Lsn)}";
    }
}
