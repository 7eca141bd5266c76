namespace DbRetry.Demo.Trouble;

/// <summary>The time in which the cluster had no primary, by the servers' own account.</summary>
internal sealed record PrimaryOutage(TimeSpan KilledAt, TimeSpan WritableAt);
