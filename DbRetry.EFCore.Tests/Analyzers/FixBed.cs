using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.Diagnostics;

namespace DbRetry.EFCore.Tests.Analyzers;

/// <summary>Applies a code fix to what its analyzer reports.</summary>
internal static class FixBed
{
    /// <returns>The changed code, which compiles and is not reported any more, or nothing if no fix is offered.</returns>
    public static async Task<string?> FixAsync(DiagnosticAnalyzer analyzer, CodeFixProvider fix, string code, CancellationToken cancellationToken)
    {
        using var workspace = new AdhocWorkspace();
        var document = Snippet.InWorkspace(workspace, code);
        var reported = (await ReportAsync(analyzer, document, cancellationToken))[0];
        CodeAction? action = null;
        await fix.RegisterCodeFixesAsync(new CodeFixContext(document, reported, (offered, _) => action = offered, cancellationToken));
        if (action is null)
        {
            return null;
        }

        var change = (await action.GetOperationsAsync(cancellationToken)).OfType<ApplyChangesOperation>().Single();
        var changed = change.ChangedSolution.GetDocument(document.Id)!;
        Assert.IsEmpty(await ReportAsync(analyzer, changed, cancellationToken));
        return (await changed.GetTextAsync(cancellationToken)).ToString();
    }

    private static async Task<IReadOnlyList<Diagnostic>> ReportAsync(DiagnosticAnalyzer analyzer, Document document, CancellationToken cancellationToken)
    {
        var compilation = (await document.Project.GetCompilationAsync(cancellationToken))!;
        Snippet.AssertCompiles(compilation, cancellationToken);
        return await AnalyzerBed.ReportAsync(analyzer, compilation, cancellationToken);
    }
}
