using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace DbRetry.EFCore.Analyzers.Units;

/// <summary>The code of a unit: a lambda, or a method or local function that is passed as a delegate.</summary>
internal sealed class UnitBody(IOperation code)
{
    internal IOperation Code => code;

    internal SyntaxTree File => code.Syntax.SyntaxTree;

    internal IEnumerable<IOperation> Operations => code.Descendants();

    /// <summary>
    /// The variable, the parameter, or the field or property of the object itself that is referred to, if it is declared outside and so lives on between
    /// attempts.
    /// </summary>
    internal ISymbol? Captured(IOperation operation)
    {
        var symbol = Named(operation);
        return symbol is null || Declares(symbol) ? null : symbol;
    }

    /// <summary>What is referred to where the name alone says which one: not a member of another object, which may be an entity.</summary>
    internal static ISymbol? Named(IOperation operation)
        => operation.WithoutConversions() switch
        {
            ILocalReferenceOperation local => local.Local,
            IParameterReferenceOperation parameter => parameter.Parameter,
            IFieldReferenceOperation { Instance: null or IInstanceReferenceOperation { ReferenceKind: InstanceReferenceKind.ContainingTypeInstance } } field
                => field.Field,
            IPropertyReferenceOperation
            {
                Arguments.IsEmpty: true,
                Instance: null or IInstanceReferenceOperation { ReferenceKind: InstanceReferenceKind.ContainingTypeInstance },
            } property => property.Property,
            _ => null,
        };

    private bool Declares(ISymbol symbol)
        => symbol.DeclaringSyntaxReferences.Any(declaration => declaration.SyntaxTree == File && code.Syntax.Span.Contains(declaration.Span));
}
