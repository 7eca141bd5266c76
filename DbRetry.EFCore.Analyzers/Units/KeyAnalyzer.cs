using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace DbRetry.EFCore.Analyzers.Units;

/// <summary>DBR003: keys that a unit makes of the time, of chance or of both.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
internal sealed class KeyAnalyzer() : UnitAnalyzer(Rules.Key)
{
    private static readonly HashSet<string> Sources =
    [
        "System.Guid.NewGuid",
        "System.Guid.CreateVersion7",
        "System.TimeProvider.GetUtcNow",
        "System.TimeProvider.GetLocalNow",
        "System.DateTime.Now",
        "System.DateTime.UtcNow",
        "System.DateTimeOffset.Now",
        "System.DateTimeOffset.UtcNow",
        "System.Environment.TickCount",
        "System.Environment.TickCount64",
    ];

    private static readonly string[] Endings = ["Id", "ID", "Key", "KEY", "_id", "_key", "Token", "Reference"];

    protected override void Look(UnitBody unit, OperationAnalysisContext context)
    {
        foreach (var operation in unit.Operations)
        {
            if (IsNewEachTime(operation) && KeyMadeOf(operation) is { } key)
            {
                context.ReportDiagnostic(Diagnostic.Create(Rules.Key, operation.Syntax.GetLocation(), key));
            }
        }
    }

    private static bool IsNewEachTime(IOperation operation)
        => operation switch
        {
            IInvocationOperation call => Sources.Contains($"{call.TargetMethod.ContainingType.FullName()}.{call.TargetMethod.Name}"),
            IPropertyReferenceOperation { Property: { IsStatic: true } property } => Sources.Contains($"{property.ContainingType.FullName()}.{property.Name}"),
            _ => false,
        };

    /// <summary>The name of what the value is given to, as it is or as a part of a text, if that name says that it is a key.</summary>
    private static string? KeyMadeOf(IOperation value)
    {
        for (var user = value.Parent; user is not null; value = user, user = user.Parent)
        {
            switch (user)
            {
                case ISimpleAssignmentOperation assignment:
                    return assignment.Value == value ? IfKey(NameOf(assignment.Target)) : null;
                case IVariableDeclaratorOperation declarator:
                    return IfKey(declarator.Symbol.Name);
                case IArgumentOperation { Parent: IObjectCreationOperation { Type: { } type } } argument:
                    return IfKey(argument.Parameter?.Name) ?? IfKey(type.Name);
                case IArgumentOperation { Parent: IInvocationOperation call } argument:
                    return IfKey(argument.Parameter?.Name)
                        ?? call.Arguments.Select(other => other.Value.ConstantValue.Value as string).FirstOrDefault(text => IfKey(text) is not null);
                case IInvocationOperation { Instance: { } instance } when instance == value:
                case IPropertyReferenceOperation { Instance: { } owner } when owner == value:
                case IConversionOperation or IParenthesizedOperation:
                case IInterpolationOperation or IInterpolatedStringOperation:
                case IVariableInitializerOperation:
                case IBinaryOperation { OperatorKind: BinaryOperatorKind.Add }:
                    break;
                default:
                    return null;
            }
        }

        return null;
    }

    private static string? NameOf(IOperation target)
        => target switch
        {
            IMemberReferenceOperation member => member.Member.Name,
            ILocalReferenceOperation local => local.Local.Name,
            IParameterReferenceOperation parameter => parameter.Parameter.Name,
            _ => null,
        };

    private static string? IfKey(string? name)
        => name is not null && (name is "id" or "key" || Endings.Any(ending => name.EndsWith(ending, StringComparison.Ordinal))) ? name : null;
}
