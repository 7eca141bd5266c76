using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace DbRetry.EFCore.Tests.Analyzers;

/// <summary>Lets an analyzer look at code, and compares what it underlines with what is marked there.</summary>
internal static class AnalyzerBed
{
    public static async Task VerifyAsync(DiagnosticAnalyzer analyzer, string marked, CancellationToken cancellationToken, FixedOptions? options = null)
    {
        var code = new MarkedCode(marked);
        var reported = (await ReportAsync(analyzer, Snippet.Compile(code.Text, cancellationToken), cancellationToken, options))
            .Select(diagnostic => diagnostic.Location.SourceSpan)
            .OrderBy(span => span.End)
            .Select(span => MarkedCode.At(span.Start, code.Text.Substring(span.Start, span.Length)));
        Assert.AreEqual(string.Join('\n', code.Expected), string.Join('\n', reported), code.Text);
    }

    public static async Task<IReadOnlyList<Diagnostic>> ReportAsync(
        DiagnosticAnalyzer analyzer, Compilation compilation, CancellationToken cancellationToken, FixedOptions? options = null)
    {
        var analysis = compilation.WithAnalyzers(
            [analyzer],
            new CompilationWithAnalyzersOptions(
                new AnalyzerOptions([], options ?? new FixedOptions("none", "none")),
                onAnalyzerException: (exception, _, _) => throw new InvalidOperationException("The analyzer failed.", exception),
                concurrentAnalysis: false,
                logAnalyzerExecutionTime: false));
        return await analysis.GetAnalyzerDiagnosticsAsync(cancellationToken);
    }
}
