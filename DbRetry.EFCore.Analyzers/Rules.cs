using Microsoft.CodeAnalysis;

namespace DbRetry.EFCore.Analyzers;

/// <summary>What is reported. docs/analyzers.md has a section for each.</summary>
internal static class Rules
{
    internal static readonly DiagnosticDescriptor Effect = new(
        "DBR001",
        "A unit repeats this effect when it is replayed",
        "'{0}' happens again each time this unit is replayed; do it after the unit",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "A unit is run again as a whole after a failure. The database takes back what a failed attempt wrote, but a mail, a request or a message "
            + "that it sent is sent once more. Do that after the unit, or write it into the database and send it from there.");

    internal static readonly DiagnosticDescriptor CapturedState = new(
        "DBR002",
        "A unit changes state that a replay does not put back",
        "'{0}' is declared outside of this unit and keeps what a failed attempt did to it; set it anew inside the unit, or return the value from it",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "A unit is run again as a whole after a failure. Variables, fields and collections that are declared outside of it keep what the failed attempt "
            + "did: sums count twice, lists hold the same items twice, and queues have been emptied.");

    internal static readonly DiagnosticDescriptor Key = new(
        "DBR003",
        "A unit makes a key anew in each attempt",
        "'{0}' is another key in each attempt of this unit; make it before the unit",
        Category,
        DiagnosticSeverity.Info,
        isEnabledByDefault: true,
        "A key that is made inside of a unit is another one after a replay: whoever got it from a failed attempt has a key of nothing, and when the "
            + "outcome of a commit is unknown, there is no key to look for. A key that is made before the unit stays the same.");

    internal static readonly DiagnosticDescriptor Transaction = new(
        "DBR004",
        "A transaction outside of a unit is not replayed",
        "What runs in this transaction is not replayed when its connection is lost; pass it to {0}",
        Category,
        DiagnosticSeverity.Info,
        isEnabledByDefault: true,
        "In a transaction that the application began outside of any unit nothing can be replayed: the failure surfaces, and the transaction is lost. "
            + "ExecuteInTransactionScope runs, commits and repeats the same code as a unit.");

    internal static readonly DiagnosticDescriptor StockRetry = new(
        "DBR005",
        "UseDbRetry and another execution strategy are configured together",
        "'{0}' and UseDbRetry are both configured for this context, which fails when it is first used; remove '{0}'",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "Two retry layers multiply each other's attempts, so a context that has both throws an InvalidOperationException.");

    private const string Category = "DbRetry";
}
