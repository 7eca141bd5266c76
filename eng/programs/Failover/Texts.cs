namespace DbRetry.Failover;

/// <summary>How numbers are written.</summary>
internal static class Texts
{
    /// <param name="milliseconds">Infinity is for ever.</param>
    public static string Time(double milliseconds) => milliseconds switch
    {
        double.PositiveInfinity => "not back",
        >= 1_000 => $"{milliseconds / 1_000:0.00} s",
        >= 10 => $"{milliseconds:0} ms",
        _ => $"{milliseconds:0.0} ms",
    };
}
