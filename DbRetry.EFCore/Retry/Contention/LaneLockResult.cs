namespace DbRetry.EFCore.Retry.Contention;

/// <summary>What became of the lock that makes an attempt take its turn among other processes (<see cref="LaneLock"/>).</summary>
internal enum LaneLockResult
{
    /// <summary>There was no reason to take it.</summary>
    NotTaken,

    /// <summary>Nobody held it.</summary>
    Free,

    /// <summary>Somebody held it, and the attempt waited.</summary>
    Waited,

    /// <summary>It was waited for too long. The attempt goes on without it.</summary>
    TimedOut,

    /// <summary>The server does not give it, or there is no transaction to take it. The attempt goes on without it.</summary>
    Refused,
}
