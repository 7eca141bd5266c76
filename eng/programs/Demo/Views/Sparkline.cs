namespace DbRetry.Demo.Views;

/// <summary>A row of numbers as a row of blocks; a blank is a zero.</summary>
internal static class Sparkline
{
    private const string Blocks = " ▁▂▃▄▅▆▇█";

    public static string Of(IEnumerable<int> series)
    {
        int[] values = [.. series];
        var highest = Math.Max(1, values.Max());
        return string.Concat(values.Select(value => Blocks[(int)Math.Ceiling((double)value * (Blocks.Length - 1) / highest)]));
    }
}
