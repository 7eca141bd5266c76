using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace DbRetry.EFCore.Analyzers.Configuration;

/// <summary>DBR005: another execution strategy on the options builder that UseDbRetry is called on.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
internal sealed class StockRetryAnalyzer : DiagnosticAnalyzer
{
    private const string UseNpgsql = "Microsoft.EntityFrameworkCore.NpgsqlDbContextOptionsBuilderExtensions";
    private const string UseDbRetry = "Microsoft.EntityFrameworkCore.DbRetryDbContextOptionsBuilderExtensions";

    private static readonly string[] Namespaces = ["Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure", "Microsoft.EntityFrameworkCore.Infrastructure"];

    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.StockRetry];

    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterOperationAction(Look, OperationKind.Invocation);
    }

    private static void Look(OperationAnalysisContext context)
    {
        var call = (IInvocationOperation)context.Operation;
        if (call.TargetMethod is { Name: "EnableRetryOnFailure" or "ExecutionStrategy" } method
            && Namespaces.Contains(method.ContainingNamespace.ToDisplayString())
            && Provider(call) is { } provider
            && IsJoinedByDbRetry(provider))
        {
            context.ReportDiagnostic(Diagnostic.Create(Rules.StockRetry, call.NameLocation(), method.Name));
        }
    }

    /// <summary>The call of UseNpgsql whose argument configures the provider.</summary>
    private static IInvocationOperation? Provider(IOperation configuring)
    {
        for (var outer = configuring.Parent; outer is not null; outer = outer.Parent)
        {
            if (outer is IInvocationOperation { TargetMethod.Name: "UseNpgsql" } call && call.TargetMethod.ContainingType.FullName() == UseNpgsql)
            {
                return call;
            }
        }

        return null;
    }

    private static bool IsJoinedByDbRetry(IInvocationOperation provider)
    {
        var (builder, before) = Chain(provider);
        return before.Any(IsUseDbRetry) || After(provider).Any(IsUseDbRetry) || (Variable(builder) is { } variable && IsUsedElsewhere(variable, provider));
    }

    /// <summary>Another call on the same variable counts where both run: not in the two branches of an <c>if</c>, a <c>switch</c> or a <c>?:</c>.</summary>
    private static bool IsUsedElsewhere(ISymbol builder, IInvocationOperation provider)
    {
        var here = Blocks(provider.Syntax);
        IOperation root = provider;
        while (root.Parent is { } outer)
        {
            root = outer;
        }

        return root.Descendants().OfType<IInvocationOperation>()
            .Where(IsUseDbRetry)
            .Where(call => SymbolEqualityComparer.Default.Equals(Variable(Chain(call).Builder), builder))
            .Select(call => Blocks(call.Syntax))
            .Any(there => here.Contains(there[0]) || there.Contains(here[0]));
    }

    private static (IOperation Builder, List<IInvocationOperation> Calls) Chain(IInvocationOperation call)
    {
        var calls = new List<IInvocationOperation>();
        IOperation? receiver = Receiver(call);
        while (receiver is IInvocationOperation previous)
        {
            calls.Add(previous);
            receiver = Receiver(previous);
        }

        return (receiver ?? call, calls);
    }

    private static IEnumerable<IInvocationOperation> After(IInvocationOperation call)
    {
        IOperation current = call;
        while (current.Parent is { } outer)
        {
            if (outer is IInvocationOperation next)
            {
                if (Receiver(next) is not IInvocationOperation receiver || receiver != call)
                {
                    yield break;
                }

                yield return next;
                call = next;
            }
            else if (outer is not (IArgumentOperation or IConversionOperation or IParenthesizedOperation))
            {
                yield break;
            }

            current = outer;
        }
    }

    private static IOperation? Receiver(IInvocationOperation call)
        => (call.Instance ?? (call.TargetMethod.IsExtensionMethod ? call.Arguments.FirstOrDefault()?.Value : null))?.WithoutConversions();

    private static ISymbol? Variable(IOperation builder)
        => builder switch
        {
            ILocalReferenceOperation local => local.Local,
            IParameterReferenceOperation parameter => parameter.Parameter,
            IFieldReferenceOperation field => field.Field,
            _ => null,
        };

    private static bool IsUseDbRetry(IInvocationOperation call)
        => call.TargetMethod.Name == "UseDbRetry" && call.TargetMethod.ContainingType.FullName() == UseDbRetry;

    /// <summary>The blocks around a call, the innermost first; a branch without braces is one as well.</summary>
    private static List<SyntaxNode> Blocks(SyntaxNode node)
        => [.. node.AncestorsAndSelf().Where(outer
            => outer is BlockSyntax or SwitchSectionSyntax or SwitchExpressionArmSyntax or LambdaExpressionSyntax or CompilationUnitSyntax || IsBranch(outer))];

    private static bool IsBranch(SyntaxNode node)
        => node.Parent switch
        {
            ElseClauseSyntax => true,
            IfStatementSyntax branches => branches.Statement == node,
            ConditionalExpressionSyntax branches => branches.WhenTrue == node || branches.WhenFalse == node,
            _ => false,
        };
}
