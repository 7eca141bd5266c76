namespace DbRetry.EFCore;

/// <summary>Why one host could not serve a session.</summary>
/// <param name="Host">The host and its port, without credentials.</param>
/// <param name="Reason">Why it was passed over, in a few words.</param>
/// <param name="Error">What connecting to it ended in; <see langword="null"/> if it answered and has another role than the wanted one.</param>
public readonly record struct HostFailure(string Host, string Reason, Exception? Error);
