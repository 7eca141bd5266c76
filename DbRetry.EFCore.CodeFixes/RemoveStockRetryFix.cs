using System.Collections.Immutable;
using System.Composition;
using DbRetry.EFCore.Analyzers;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace DbRetry.EFCore.CodeFixes;

/// <summary>DBR005: removes the other execution strategy, and the argument that it leaves empty.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp)]
[Shared]
internal sealed class RemoveStockRetryFix : CodeFixProvider
{
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = [Rules.StockRetry.Id];

    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        if (root?.FindNode(context.Span, getInnermostNodeForTie: true).FirstAncestorOrSelf<InvocationExpressionSyntax>() is { } call
            && Without(root, call) is { } changed)
        {
            context.RegisterCodeFix(
                CodeAction.Create(
                    $"Remove {root.FindNode(context.Span)}",
                    _ => Task.FromResult(context.Document.WithSyntaxRoot(changed)),
                    nameof(RemoveStockRetryFix)),
                context.Diagnostics);
        }
    }

    private static SyntaxNode? Without(SyntaxNode root, InvocationExpressionSyntax call)
    {
        if (call.Expression is not MemberAccessExpressionSyntax { Expression: { } receiver })
        {
            return null;
        }

        // What is left of "o.EnableRetryOnFailure()" alone is no statement.
        return receiver is not IdentifierNameSyntax || call.Parent is MemberAccessExpressionSyntax
            ? root.ReplaceNode(call, receiver.WithTriviaFrom(call))
            : call.Parent switch
            {
                ExpressionStatementSyntax { Parent: BlockSyntax { Statements.Count: 1, Parent: LambdaExpressionSyntax { Parent: ArgumentSyntax argument } } }
                    => WithoutArgument(root, argument),
                ExpressionStatementSyntax { Parent: BlockSyntax } statement => root.RemoveNode(statement, SyntaxRemoveOptions.KeepNoTrivia),
                LambdaExpressionSyntax { Parent: ArgumentSyntax argument } => WithoutArgument(root, argument),
                _ => null,
            };
    }

    private static SyntaxNode? WithoutArgument(SyntaxNode root, ArgumentSyntax argument)
        => root.RemoveNode(argument, SyntaxRemoveOptions.KeepNoTrivia);
}
