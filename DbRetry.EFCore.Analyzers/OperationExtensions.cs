using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;

namespace DbRetry.EFCore.Analyzers;

internal static class OperationExtensions
{
    internal static IOperation WithoutConversions(this IOperation operation)
    {
        while (true)
        {
            switch (operation)
            {
                case IConversionOperation conversion:
                    operation = conversion.Operand;
                    break;
                case IParenthesizedOperation parenthesized:
                    operation = parenthesized.Operand;
                    break;
                default:
                    return operation;
            }
        }
    }

    /// <summary>The name of the called method where it is called, which is what should be underlined of a chain of calls.</summary>
    internal static Location NameLocation(this IInvocationOperation call)
        => (call.Syntax as InvocationExpressionSyntax)?.Expression switch
        {
            MemberAccessExpressionSyntax access => access.Name.GetLocation(),
            MemberBindingExpressionSyntax binding => binding.Name.GetLocation(),
            { } other => other.GetLocation(),
            null => call.Syntax.GetLocation(),
        };

    /// <summary>With its namespace, without type arguments.</summary>
    internal static string FullName(this INamedTypeSymbol type)
        => type.ContainingType is { } outer ? $"{outer.FullName()}.{type.Name}"
            : type.ContainingNamespace is { IsGlobalNamespace: false } space ? $"{space.ToDisplayString()}.{type.Name}"
            : type.Name;
}
