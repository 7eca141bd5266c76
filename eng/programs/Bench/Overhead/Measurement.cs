using DbRetry.Bench.Measuring;

namespace DbRetry.Bench.Overhead;

/// <summary>How one subject did in one operation.</summary>
/// <param name="Operation">What was done.</param>
/// <param name="RoundTripTime">What the network added to each round trip.</param>
/// <param name="Subject">By whom.</param>
/// <param name="Seconds">How long one run took.</param>
/// <param name="ToPlain">Compared to plain <c>UseNpgsql</c>.</param>
/// <param name="ToStock">Compared to stock <c>EnableRetryOnFailure</c>.</param>
/// <param name="Cost">What does not depend on the network.</param>
/// <param name="Verdict">Whether the goals are met; empty where there is none.</param>
internal sealed record Measurement(
    string Operation, TimeSpan RoundTripTime, string Subject, Spread Seconds, Spread ToPlain, Spread ToStock, Cost Cost, string Verdict = "");

/// <param name="Bytes">Allocated by one run.</param>
/// <param name="RoundTrips">How often one run waits for the server.</param>
/// <param name="Messages">How many messages of the protocol one run sends and receives.</param>
internal readonly record struct Cost(long Bytes, int RoundTrips, int Messages);
