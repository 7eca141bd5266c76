using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Formatting;
using Microsoft.CodeAnalysis.Operations;

namespace DbRetry.EFCore.CodeFixes;

/// <summary>The statement that runs the work of a transaction as a unit.</summary>
internal static class UnitSyntax
{
    internal static StatementSyntax Of(CommittedBlock block, ILocalSymbol? result, SemanticModel model)
    {
        var database = ((MemberAccessExpressionSyntax)block.Begin.Expression).Expression.WithoutTrivia();
        var (name, lambda, before, after) = block.IsAsync
            ? ("ExecuteInTransactionScopeAsync", "async () =>", "await ", block.LeavesContext ? ".ConfigureAwait(false)" : string.Empty)
            : ("ExecuteInTransactionScope", "() =>", string.Empty, string.Empty);
        var (variable, end) = result is null ? (string.Empty, string.Empty) : ($"var {result.Name} = ", $"{block.Indent}return {result.Name};\n");
        var work = string.Concat(block.Work.Select(statement => statement.ToFullString()));

        // The formatter moves the work into the braces, but leaves these where they are.
        var text = $"{variable}{before}{database}.{name}({lambda}\n{block.Indent}{{\n{work}{end}{block.Indent}}}{Arguments(block.Begin, model)}){after};\n";
        return SyntaxFactory.ParseStatement(text).WithLeadingTrivia(block.Before).WithAdditionalAnnotations(Formatter.Annotation);
    }

    /// <summary>The isolation level and the cancellation token, where they were given.</summary>
    private static string Arguments(InvocationExpressionSyntax begin, SemanticModel model)
        => string.Concat(((IInvocationOperation)model.GetOperation(begin)!).Arguments
            .Where(argument => argument is { ArgumentKind: ArgumentKind.Explicit, Parameter.Name: "isolationLevel" or "cancellationToken" })
            .Select(argument => argument.Parameter!.Name == "isolationLevel"
                ? $", {argument.Value.Syntax}"
                : $", {argument.Parameter.Name}: {argument.Value.Syntax}"));
}
