namespace DbRetry.EFCore.Hosts.Targets;

/// <summary>What one open of a connection asks of the host.</summary>
/// <param name="Target">Its role.</param>
/// <param name="ReadAfter">How far its history must go; <see langword="null"/> if it does not matter.</param>
/// <param name="AfterOwnWrites">Whether the history must contain what the context wrote, and the primary has yet to be asked how far that is.</param>
internal readonly record struct WantedSession(TargetSession Target, CommitPosition? ReadAfter = null, bool AfterOwnWrites = false);
