using DbRetry.Bench.Measuring;
using DbRetry.EFCore;

namespace DbRetry.Bench.Overhead;

/// <summary>What the plugin may cost.</summary>
internal static class Goals
{
    private const double ReadToPlain = 1.03;
    private const double ReadToStock = 1.00;
    private const double InTransaction = 1.05;
    private const double OneStatement = 1.15;
    private const double OneStatementWithWitness = 1.05;

    /// <summary>Compared to the same with one host.</summary>
    private const double Hosts = 1.03;

    /// <param name="kind">Of the operation.</param>
    /// <param name="verification">Of the configuration.</param>
    /// <param name="ours">What it takes.</param>
    /// <param name="stock">What EF's own retries take.</param>
    /// <param name="floor">What EF takes at least, whoever retries; <see langword="null"/> where that is not known.</param>
    public static string Judge(OperationKind kind, CommitVerification verification, Measurement ours, Measurement stock, Measurement? floor)
        => kind switch
        {
            OperationKind.Read => Join(
                Ratio(ours.ToPlain, ReadToPlain, "plain", floor?.ToPlain),
                Ratio(ours.ToStock, ReadToStock, "stock", floor?.ToStock),
                ours.Cost.Bytes <= stock.Cost.Bytes ? "" : $"{ours.Cost.Bytes - stock.Cost.Bytes:N0} B more than stock"),
            OperationKind.WriteInTransaction => Join(Ratio(ours.ToStock, InTransaction, "stock", floor?.ToStock)),
            _ => Join(Ratio(
                ours.ToStock, verification is CommitVerification.Witness ? OneStatementWithWitness : OneStatement, "stock", floor?.ToStock)),
        };

    public static string JudgeHosts(Spread toOneHost) => Join(Ratio(toOneHost, Hosts, "one host"));

    // Half of all runs of the same thing against itself would be above 1.
    private static string Ratio(Spread ratio, double goal, string to, Spread? floor = null)
        => ratio.Median <= goal ? ""
            : ratio.Low <= goal ? $"within noise of {goal:0.00} x {to}"
            : $"{ratio.Median:0.00} x {to}, goal {goal:0.00}{(floor is { } least ? $", floor {least.Median:0.00}" : "")}";

    private static string Join(params IEnumerable<string> problems)
    {
        var found = string.Join("; ", problems.Where(static problem => problem.Length > 0));
        return found.Length == 0 ? "met" : found;
    }
}
