using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace DbRetry.EFCore.CodeFixes;

/// <summary>
/// <c>using var transaction = …BeginTransaction(…); …; transaction.Commit();</c> in one block, or the same as a using statement: the transaction is
/// named nowhere else, so nothing of it is rolled back to, saved or passed on.
/// </summary>
internal sealed class CommittedBlock
{
    private readonly BlockSyntax _block;
    private readonly StatementSyntax _begin;
    private readonly StatementSyntax _commit;

    private CommittedBlock(
        InvocationExpressionSyntax call, BlockSyntax block, StatementSyntax begin, StatementSyntax commit, IReadOnlyList<StatementSyntax> work)
    {
        Begin = call;
        _block = block;
        _begin = begin;
        _commit = commit;
        Work = work;
    }

    internal InvocationExpressionSyntax Begin { get; }

    internal IReadOnlyList<StatementSyntax> Work { get; }

    internal bool IsAsync => MethodName(Begin) == "BeginTransactionAsync";

    /// <summary>Whether what is awaited goes on anywhere, as in a library.</summary>
    internal bool LeavesContext => Begin.Parent is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "ConfigureAwait" };

    internal SyntaxTriviaList Before => _begin.GetLeadingTrivia();

    internal string Indent => Before.Any() && Before.Last().IsKind(SyntaxKind.WhitespaceTrivia) ? Before.Last().ToString() : string.Empty;

    internal static CommittedBlock? Find(InvocationExpressionSyntax begin)
    {
        if (begin.FirstAncestorOrSelf<VariableDeclarationSyntax>() is not { Variables.Count: 1 } variables
            || variables.Variables[0].Initializer is not { } initializer
            || Awaited(initializer.Value) != begin)
        {
            return null;
        }

        var name = variables.Variables[0].Identifier.ValueText;
        return variables.Parent switch
        {
            LocalDeclarationStatementSyntax { UsingKeyword.RawKind: not 0, Parent: BlockSyntax block } declaration
                => Find(begin, name, block, declaration, block.Statements.IndexOf(declaration) + 1),
            UsingStatementSyntax { Statement: BlockSyntax block } statement => Find(begin, name, block, statement, 0),
            _ => null,
        };
    }

    /// <summary>
    /// Whether the work can be moved into a lambda, and the one variable that is declared in it and used behind it, if there is one, which the lambda
    /// then returns.
    /// </summary>
    internal (bool CanMove, ILocalSymbol? Result) Result(SemanticModel model)
    {
        var flow = model.AnalyzeDataFlow(Work[0], Work[Work.Count - 1]);
        var exits = model.AnalyzeControlFlow(Work[0], Work[Work.Count - 1]);
        if (flow is not { Succeeded: true }
            || exits is not { Succeeded: true, ExitPoints.IsEmpty: true, EntryPoints.IsEmpty: true, ReturnStatements.IsEmpty: true }
            || Own(Work).Any(node => node is YieldStatementSyntax)
            || Own(Work).Any(node => node is AwaitExpressionSyntax or ForEachStatementSyntax { AwaitKeyword.RawKind: not 0 }) != IsAsync
            || flow.ReadInside.Concat(flow.WrittenInside).Any(CannotBeCaptured))
        {
            return (false, null);
        }

        var usedBehind = flow.VariablesDeclared.Where(variable => flow.ReadOutside.Contains(variable) || flow.WrittenOutside.Contains(variable)).ToList();
        var leaving = flow.DataFlowsOut.Where(variable => !usedBehind.Contains(variable));
        return usedBehind.Count > 1 || leaving.Any() || usedBehind.Any(variable => variable is not ILocalSymbol || !IsDeclaredAtOnce(variable))
            ? (false, null)
            : (true, usedBehind.OfType<ILocalSymbol>().SingleOrDefault());
    }

    /// <summary>The file with the unit in place of the transaction.</summary>
    internal SyntaxNode ReplacedBy(SyntaxNode root, StatementSyntax unit)
    {
        if (_begin is UsingStatementSyntax)
        {
            return root.ReplaceNode(_begin, unit);
        }

        var first = _block.Statements.IndexOf(_begin);
        var last = _block.Statements.IndexOf(_commit);
        return root.ReplaceNode(
            _block,
            _block.WithStatements([.. _block.Statements.Take(first), unit, .. _block.Statements.Skip(last + 1)]));
    }

    private static CommittedBlock? Find(InvocationExpressionSyntax begin, string transaction, BlockSyntax block, StatementSyntax start, int first)
    {
        var commit = block.Statements.Skip(first).FirstOrDefault(statement => IsCommit(statement, transaction));
        if (commit is null)
        {
            return null;
        }

        var last = block.Statements.IndexOf(commit);
        var uses = block.Statements.Skip(first).SelectMany(statement => statement.DescendantNodes().OfType<IdentifierNameSyntax>())
            .Count(name => name.Identifier.ValueText == transaction);
        var ends = start is not UsingStatementSyntax || last == block.Statements.Count - 1;
        return uses == 1 && ends && last > first ? new CommittedBlock(begin, block, start, commit, [.. block.Statements.Skip(first).Take(last - first)]) : null;
    }

    private static bool IsCommit(StatementSyntax statement, string transaction)
        => statement is ExpressionStatementSyntax { Expression: { } expression }
            && Awaited(expression) is InvocationExpressionSyntax
            {
                Expression: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "Commit" or "CommitAsync", Expression: IdentifierNameSyntax owner },
            }
            && owner.Identifier.ValueText == transaction;

    /// <summary>What is awaited, without <c>ConfigureAwait</c>; the expression itself if nothing is.</summary>
    private static ExpressionSyntax Awaited(ExpressionSyntax expression)
        => expression switch
        {
            AwaitExpressionSyntax { Expression: InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax access } }
                when access.Name.Identifier.ValueText == "ConfigureAwait" => access.Expression,
            AwaitExpressionSyntax awaited => awaited.Expression,
            _ => expression,
        };

    private static string? MethodName(InvocationExpressionSyntax call)
        => (call.Expression as MemberAccessExpressionSyntax)?.Name.Identifier.ValueText;

    private bool IsDeclaredAtOnce(ISymbol variable)
        => Work.OfType<LocalDeclarationStatementSyntax>().Any(statement
            => statement is { UsingKeyword.RawKind: 0, Declaration.Variables.Count: 1 }
                && statement.Declaration.Variables[0] is { Initializer: not null } only
                && only.Identifier.ValueText == variable.Name);

    private static bool CannotBeCaptured(ISymbol variable)
        => variable switch
        {
            IParameterSymbol { IsThis: true } self => self.Type.IsValueType,
            IParameterSymbol parameter => parameter.RefKind != RefKind.None || parameter.Type.IsRefLikeType,
            ILocalSymbol local => local.IsRef || local.Type.IsRefLikeType,
            _ => true,
        };

    private static IEnumerable<SyntaxNode> Own(IReadOnlyList<StatementSyntax> statements)
        => statements.SelectMany(statement => statement.DescendantNodesAndSelf(
            node => node is not (AnonymousFunctionExpressionSyntax or LocalFunctionStatementSyntax)));
}
