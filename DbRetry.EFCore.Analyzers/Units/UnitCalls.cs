using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;

namespace DbRetry.EFCore.Analyzers.Units;

/// <summary>Which calls run a delegate as a unit: as a whole, and perhaps more than once.</summary>
internal sealed class UnitCalls
{
    private static readonly string[] Types =
    [
        "Microsoft.EntityFrameworkCore.DbRetryTransactionScopeExtensions",
        "DbRetry.EFCore.DbRetryPolicy",
        "Microsoft.EntityFrameworkCore.ExecutionStrategyExtensions",
        "Microsoft.EntityFrameworkCore.Storage.RelationalExecutionStrategyExtensions",
        "Microsoft.EntityFrameworkCore.Storage.IExecutionStrategy",
    ];

    private readonly HashSet<ISymbol> _types = new(SymbolEqualityComparer.Default);

    private UnitCalls(Compilation compilation)
        => _types.UnionWith(Types.Select(compilation.GetTypeByMetadataName).OfType<ISymbol>());

    /// <summary>Nothing where the library is not referenced: without it nothing is replayed.</summary>
    internal static UnitCalls? In(Compilation compilation)
        => compilation.GetTypeByMetadataName("DbRetry.EFCore.DbRetryOptions") is null ? null : new UnitCalls(compilation);

    /// <summary>
    /// The code of the unit that a call runs, if it runs one and is not in a unit itself: there it is a part of the outer one.
    /// Code that is not written at the call is found if it is a method or a local function in the same file.
    /// </summary>
    internal UnitBody? OutermostUnit(IInvocationOperation call)
        => UnitArgument(call) is { } argument && !IsWrittenInUnit(call) && Code(argument) is { } code ? new UnitBody(code) : null;

    /// <summary>Whether an operation is written in the delegate of a unit, or in a method or local function of the same file that is passed to one.</summary>
    internal bool IsInUnit(IOperation operation, ISymbol method, CancellationToken cancellationToken)
        => IsWrittenInUnit(operation)
            || Enclosing(operation).OfType<ILocalFunctionOperation>().Any(function => IsPassedToUnit(function.Symbol, operation, cancellationToken))
            || IsPassedToUnit(method, operation, cancellationToken);

    private bool IsWrittenInUnit(IOperation operation)
        => Enclosing(operation).OfType<IAnonymousFunctionOperation>().Any(IsUnitDelegate);

    private bool IsUnitDelegate(IAnonymousFunctionOperation function)
        => Enclosing(function).OfType<IArgumentOperation>().FirstOrDefault() is { Parent: IInvocationOperation call } argument
            && ReferenceEquals(UnitArgument(call), argument)
            && ReferenceEquals(Delegate(argument), function);

    private bool IsPassedToUnit(ISymbol method, IOperation inFile, CancellationToken cancellationToken)
        => inFile.SemanticModel is { } model
            && inFile.Syntax.SyntaxTree.GetRoot(cancellationToken).DescendantNodes().OfType<ArgumentSyntax>()
                .Where(argument => MethodName(argument.Expression) == method.Name)
                .Select(argument => model.GetOperation(argument, cancellationToken))
                .OfType<IArgumentOperation>()
                .Any(argument => argument.Parent is IInvocationOperation call
                    && ReferenceEquals(UnitArgument(call), argument)
                    && Delegate(argument) is IMethodReferenceOperation reference
                    && SymbolEqualityComparer.Default.Equals(reference.Method.OriginalDefinition, method.OriginalDefinition));

    private IArgumentOperation? UnitArgument(IInvocationOperation call)
        => IsUnit(call.TargetMethod) ? call.Arguments.FirstOrDefault(argument => argument.Parameter?.Name is "operation" or "work") : null;

    private bool IsUnit(IMethodSymbol method)
        => method.Name.StartsWith("Execute", StringComparison.Ordinal)
            && (_types.Contains(method.ContainingType) || method.ContainingType.AllInterfaces.Any(_types.Contains));

    private static IOperation? Code(IArgumentOperation argument)
        => Delegate(argument) switch
        {
            IAnonymousFunctionOperation function => function,
            IMethodReferenceOperation reference when reference.Method.DeclaringSyntaxReferences.FirstOrDefault() is { } declaration
                && declaration.SyntaxTree == argument.Syntax.SyntaxTree => argument.SemanticModel?.GetOperation(declaration.GetSyntax()),
            _ => null,
        };

    private static IOperation? Delegate(IArgumentOperation argument)
        => argument.Value.WithoutConversions() is IDelegateCreationOperation creation ? creation.Target : null;

    private static string? MethodName(ExpressionSyntax expression)
        => expression switch
        {
            IdentifierNameSyntax name => name.Identifier.ValueText,
            MemberAccessExpressionSyntax access => access.Name.Identifier.ValueText,
            _ => null,
        };

    private static IEnumerable<IOperation> Enclosing(IOperation operation)
    {
        for (var outer = operation.Parent; outer is not null; outer = outer.Parent)
        {
            yield return outer;
        }
    }
}
