namespace DbRetry.EFCore.Tests.Retry;

/// <summary>Always the same number, so that a wait with full jitter has one length.</summary>
internal sealed class FixedRandom(double value) : Random
{
    public override double NextDouble() => value;

    protected override double Sample() => value;
}
