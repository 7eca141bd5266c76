namespace DbRetry.EFCore;

/// <summary>Another host than before was found to be the primary: see <see cref="DbRetryOptions.OnFailover"/>.</summary>
/// <param name="Host">The new primary and its port.</param>
/// <param name="PreviousHost">The old primary and its port.</param>
/// <param name="FoundAt">When the new one was found.</param>
/// <param name="Duration">
/// How long this process was without a primary; <see cref="TimeSpan.Zero"/> if it never noticed that the old one was gone.
/// </param>
public sealed record FailoverEvent(string Host, string PreviousHost, DateTimeOffset FoundAt, TimeSpan Duration);
