using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace DbRetry.EFCore.Analyzers.Units;

/// <summary>An analyzer that looks into the code of units, each of the outermost once.</summary>
internal abstract class UnitAnalyzer(DiagnosticDescriptor rule) : DiagnosticAnalyzer
{
    public sealed override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [rule];

    public sealed override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (UnitCalls.In(start.Compilation) is { } units)
            {
                start.RegisterOperationAction(
                    operation =>
                    {
                        if (units.OutermostUnit((IInvocationOperation)operation.Operation) is { } unit)
                        {
                            Look(unit, operation);
                        }
                    },
                    OperationKind.Invocation);
            }
        });
    }

    protected abstract void Look(UnitBody unit, OperationAnalysisContext context);
}
