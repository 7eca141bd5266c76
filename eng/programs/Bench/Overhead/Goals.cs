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

    public static string Judge(OperationKind kind, CommitVerification verification, Spread toPlain, Spread toStock, long bytes, long bytesOfStock)
        => kind switch
        {
            OperationKind.Read => Join(
                Ratio(toPlain, ReadToPlain, "plain"),
                Ratio(toStock, ReadToStock, "stock"),
                bytes <= bytesOfStock ? "" : $"{bytes - bytesOfStock:N0} B more than stock"),
            OperationKind.WriteInTransaction => Join(Ratio(toStock, InTransaction, "stock")),
            _ => Join(Ratio(toStock, verification is CommitVerification.Witness ? OneStatementWithWitness : OneStatement, "stock")),
        };

    public static string JudgeHosts(Spread toOneHost) => Join(Ratio(toOneHost, Hosts, "one host"));

    // Half of all runs of the same thing against itself would be above 1.
    private static string Ratio(Spread ratio, double goal, string to)
        => ratio.Median <= goal ? ""
            : ratio.Low <= goal ? $"within noise of {goal:0.00} x {to}"
            : $"{ratio.Median:0.00} x {to}, goal {goal:0.00}";

    private static string Join(params IEnumerable<string> problems)
    {
        var found = string.Join("; ", problems.Where(static problem => problem.Length > 0));
        return found.Length == 0 ? "met" : found;
    }
}
