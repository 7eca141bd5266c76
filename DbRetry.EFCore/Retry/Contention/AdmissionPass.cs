namespace DbRetry.EFCore.Retry.Contention;

/// <summary>What an attempt holds that an <see cref="AdmissionGate"/> let in, and hands back when it leaves.</summary>
/// <param name="IsAlone">Whether nobody was let in beside it.</param>
internal readonly record struct AdmissionPass(bool IsAlone)
{
    /// <summary>The lane that it is in; <see langword="null"/> until it is about to send its first statement.</summary>
    internal int? Lane { get; init; }

    /// <summary>Whether somebody was in that lane already when it came.</summary>
    internal bool IsBeside { get; init; }

    /// <summary>The how manieth it was to enter the lane since that was empty.</summary>
    internal int Entry { get; init; }

    /// <summary>Whether it had to wait for the lane.</summary>
    internal bool HasWaited { get; init; }

    /// <summary>Whether it has to take its turn among other processes too.</summary>
    internal bool NeedsLock { get; init; }

    /// <summary>How it took that turn.</summary>
    internal LaneLockResult Lock { get; init; }
}
