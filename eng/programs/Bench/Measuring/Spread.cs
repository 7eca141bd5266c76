namespace DbRetry.Bench.Measuring;

/// <summary>The median of measurements, and between which bounds the true one lies with 95 % confidence, whatever their distribution.</summary>
internal readonly record struct Spread(double Low, double Median, double High)
{
    /// <summary>From the ranks of the sorted values: a median's rank is binomially distributed.</summary>
    public static Spread Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        if (sorted.Length == 0)
        {
            return new(double.NaN, double.NaN, double.NaN);
        }
        var half = 0.98 * Math.Sqrt(sorted.Length);
        var middle = (sorted.Length - 1) / 2.0;
        return new(
            sorted[(int)Math.Max(0, Math.Floor(middle - half))],
            (sorted[(int)Math.Floor(middle)] + sorted[(int)Math.Ceiling(middle)]) / 2,
            sorted[(int)Math.Min(sorted.Length - 1, Math.Ceiling(middle + half))]);
    }
}
