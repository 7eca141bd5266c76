namespace DbRetry.Failover.Results;

/// <summary>Of a few values: the smallest value that so many of them do not exceed.</summary>
internal sealed class Quantiles
{
    private readonly double[] _ordered;

    public Quantiles(IEnumerable<double> values) => _ordered = [.. values.Order()];

    public bool IsEmpty => _ordered is [];

    public double Median => At(0.5);

    public double P99 => At(0.99);

    public double Max => At(1);

    public double At(double share) => _ordered is [] ? double.NaN : _ordered[Math.Max(0, (int)Math.Ceiling(share * _ordered.Length) - 1)];
}
