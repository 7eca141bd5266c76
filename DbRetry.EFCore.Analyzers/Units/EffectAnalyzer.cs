using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace DbRetry.EFCore.Analyzers.Units;

/// <summary>DBR001: mails, requests and messages that a unit sends.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
internal sealed class EffectAnalyzer() : UnitAnalyzer(Rules.Effect)
{
    // A delegate that is handed to one of these runs later, most likely when the unit is over.
    private static readonly string[] Postponing = ["Add", "Enqueue", "Push", "Register", "On", "After", "Defer", "Schedule"];

    protected override void Look(UnitBody unit, OperationAnalysisContext context)
    {
        var effects = KnownEffects.For(context.Options, unit.File);
        foreach (var call in unit.Operations.OfType<IInvocationOperation>())
        {
            if (effects.Include(call.TargetMethod, call.Instance?.Type) && !IsPostponed(call, unit))
            {
                context.ReportDiagnostic(Diagnostic.Create(
                    Rules.Effect, call.NameLocation(), $"{call.TargetMethod.ContainingType.Name}.{call.TargetMethod.Name}"));
            }
        }
    }

    private static bool IsPostponed(IOperation operation, UnitBody unit)
    {
        for (var outer = operation.Parent; outer is not null && outer != unit.Code; outer = outer.Parent)
        {
            if (outer is IAnonymousFunctionOperation function && !RunsAtOnce(function))
            {
                return true;
            }
        }

        return false;
    }

    private static bool RunsAtOnce(IAnonymousFunctionOperation function)
    {
        var user = function.Parent;
        while (user is IDelegateCreationOperation or IConversionOperation)
        {
            user = user.Parent;
        }

        return user is IArgumentOperation { Parent: IInvocationOperation call }
            && !Postponing.Any(name => call.TargetMethod.Name.StartsWith(name, StringComparison.Ordinal));
    }
}
