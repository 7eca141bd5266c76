using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace DbRetry.EFCore.Analyzers.Units;

/// <summary>DBR002: variables, fields and collections of the surroundings that a unit changes in a way that depends on what they were before.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
internal sealed class CapturedStateAnalyzer() : UnitAnalyzer(Rules.CapturedState)
{
    // Whoever counts attempts wants each of them.
    private static readonly string[] CountsAttempts = ["attempt", "retr", "tries"];

    protected override void Look(UnitBody unit, OperationAnalysisContext context)
    {
        HashSet<ISymbol>? setAnew = null;
        foreach (var operation in unit.Operations)
        {
            if (StateChange.Of(operation) is { } change
                && unit.Captured(change.Target) is { } symbol
                && !(setAnew ??= SetAnew(unit)).Contains(symbol)
                && !CountsAttempts.Any(word => symbol.Name.IndexOf(word, StringComparison.OrdinalIgnoreCase) >= 0))
            {
                context.ReportDiagnostic(Diagnostic.Create(Rules.CapturedState, change.Location, symbol.Name));
            }
        }
    }

    /// <summary>What the unit gives a new value or empties, and so takes back itself what a failed attempt did.</summary>
    private static HashSet<ISymbol> SetAnew(UnitBody unit)
        => new(unit.Operations.SelectMany(Set).Select(UnitBody.Named).OfType<ISymbol>(), SymbolEqualityComparer.Default);

    private static IEnumerable<IOperation> Set(IOperation operation)
        => operation switch
        {
            ISimpleAssignmentOperation assignment when StateChange.Of(assignment) is null => [assignment.Target],
            IDeconstructionAssignmentOperation { Target: ITupleOperation targets } => targets.Elements,
            IInvocationOperation { TargetMethod.Name: "Clear", Instance: { } collection } => [collection],
            IArgumentOperation { Parameter.RefKind: RefKind.Out } argument => [argument.Value],
            _ => [],
        };
}
