namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>A node that became the primary, and when its first write was accepted (wall clock and Stopwatch timestamp).</summary>
internal sealed record Promotion(int Node, DateTimeOffset FirstWriteAt, long FirstWriteTimestamp);
