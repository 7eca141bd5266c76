using System.Collections.Immutable;
using DbRetry.EFCore.Analyzers.Units;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace DbRetry.EFCore.Analyzers.Transactions;

/// <summary>DBR004: transactions that the application begins where nothing can be replayed.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
internal sealed class BeginTransactionAnalyzer : DiagnosticAnalyzer
{
    private static readonly string[] Types =
        ["Microsoft.EntityFrameworkCore.Infrastructure.DatabaseFacade", "Microsoft.EntityFrameworkCore.RelationalDatabaseFacadeExtensions"];

    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.Transaction];

    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (UnitCalls.In(start.Compilation) is { } units)
            {
                start.RegisterOperationAction(operation => Look(units, operation), OperationKind.Invocation);
            }
        });
    }

    private static void Look(UnitCalls units, OperationAnalysisContext context)
    {
        var call = (IInvocationOperation)context.Operation;
        if (call.TargetMethod.Name is "BeginTransaction" or "BeginTransactionAsync"
            && Types.Contains(call.TargetMethod.ContainingType.FullName())
            && !IsHandedOn(call)
            && !units.IsInUnit(call, context.ContainingSymbol, context.CancellationToken))
        {
            var unit = call.TargetMethod.Name == "BeginTransaction" ? "ExecuteInTransactionScope" : "ExecuteInTransactionScopeAsync";
            context.ReportDiagnostic(Diagnostic.Create(Rules.Transaction, call.NameLocation(), unit));
        }
    }

    // Whoever gets it, or finds it in a field, knows what runs in it and whether that is a unit.
    private static bool IsHandedOn(IOperation transaction)
        => transaction.Parent switch
        {
            IReturnOperation => true,
            IAssignmentOperation { Target: IMemberReferenceOperation } => true,
            IInvocationOperation { TargetMethod.Name: "ConfigureAwait" } or IAwaitOperation or IConversionOperation or IParenthesizedOperation
                or IConditionalOperation or ISwitchExpressionOperation or ISwitchExpressionArmOperation => IsHandedOn(transaction.Parent),
            _ => false,
        };
}
