using DbRetry.EFCore.Hosts;

namespace DbRetry.EFCore.Retry;

/// <summary>COMMIT on a server that has been replaced and does not know it: whatever it acknowledged would be lost when it rejoins its cluster.</summary>
internal sealed class SupersededPrimaryException(HostRef host, ServerTimeline written, ServerTimeline? newest) : InvalidOperationException(
    $"The transaction is not committed: {host} writes timeline {written.Timeline}, and a primary with timeline {newest?.Timeline} has taken its place. "
    + "Nothing of it was applied: run its work again, which goes to the new primary, and see to it that the old one is stopped.");
