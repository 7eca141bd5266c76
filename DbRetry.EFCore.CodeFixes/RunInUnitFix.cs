using System.Collections.Immutable;
using System.Composition;
using DbRetry.EFCore.Analyzers;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace DbRetry.EFCore.CodeFixes;

/// <summary>DBR004: turns a transaction that is begun, used and committed in one block into a unit, where that cannot change what the code does.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp)]
[Shared]
internal sealed class RunInUnitFix : CodeFixProvider
{
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = [Rules.Transaction.Id];

    // Each one makes the line numbers of the next one wrong, and each deserves a look.
    public override FixAllProvider? GetFixAllProvider() => null;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        var model = await context.Document.GetSemanticModelAsync(context.CancellationToken).ConfigureAwait(false);
        if (root?.FindNode(context.Span, getInnermostNodeForTie: true).FirstAncestorOrSelf<InvocationExpressionSyntax>() is { } begin
            && model is not null
            && CommittedBlock.Find(begin) is { } block
            && block.Result(model) is (true, var result))
        {
            context.RegisterCodeFix(
                CodeAction.Create(
                    "Run it in a unit that is replayed",
                    _ => Task.FromResult(context.Document.WithSyntaxRoot(block.ReplacedBy(root, UnitSyntax.Of(block, result, model)))),
                    nameof(RunInUnitFix)),
                context.Diagnostics);
        }
    }
}
