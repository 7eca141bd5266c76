using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace DbRetry.EFCore.Tests.Analyzers;

/// <summary>Code of an application, compiled against the library, EF Core and the provider as they are.</summary>
internal static class Snippet
{
    private const string Library = "DbRetry.EFCore.dll";

    private const string Surroundings =
        """
        global using System;
        global using System.Collections.Concurrent;
        global using System.Collections.Generic;
        global using System.Data;
        global using System.Linq;
        global using System.Net.Http;
        global using System.Net.Http.Json;
        global using System.Text;
        global using System.Threading;
        global using System.Threading.Tasks;
        global using Microsoft.EntityFrameworkCore;
        global using Microsoft.EntityFrameworkCore.Infrastructure;
        global using Microsoft.EntityFrameworkCore.Storage;

        public class Order
        {
            public Guid Id { get; set; }
            public decimal Total { get; set; }
            public DateTime CreatedAt { get; set; }
            public List<Order> Parts { get; } = [];
        }

        public class ShopContext(DbContextOptions options) : DbContext(options)
        {
            public DbSet<Order> Orders => Set<Order>();
        }
        """;

    /// <summary>Everything that the tests run with.</summary>
    private static readonly ImmutableArray<MetadataReference> References =
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(path => MetadataReference.CreateFromFile(path))];

    /// <summary>A method of a class with the usual things at hand.</summary>
    public static string Method(string statements)
        => $$"""
            using DbRetry.EFCore;

            public class Shop(ShopContext context, HttpClient http)
            {
                private readonly List<Order> _seen = [];
                private int _count;

                public decimal Sum { get; set; }

                public async Task RunAsync(Order order, List<Order> orders, Queue<Order> queue, CancellationToken cancellation)
                {
                    {{statements}}
                }
            }
            """;

    /// <exception cref="AssertFailedException">The code has errors.</exception>
    public static CSharpCompilation Compile(string code, CancellationToken cancellationToken, bool withLibrary = true)
    {
        var compilation = CSharpCompilation.Create(
            nameof(Snippet),
            new[] { code, Surroundings }.Select(text => CSharpSyntaxTree.ParseText(text, cancellationToken: cancellationToken)),
            withLibrary ? References : References.Where(reference => Path.GetFileName(reference.Display) != Library),
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary));
        AssertCompiles(compilation, cancellationToken);
        return compilation;
    }

    /// <exception cref="AssertFailedException">The code has errors.</exception>
    public static void AssertCompiles(Compilation compilation, CancellationToken cancellationToken)
    {
        var errors = compilation.GetDiagnostics(cancellationToken).Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error).ToList();
        Assert.IsEmpty(errors, $"{string.Join('\n', errors)}\n{compilation.SyntaxTrees.First()}");
    }

    /// <summary>The same as a document that a code fix can change.</summary>
    public static Document InWorkspace(AdhocWorkspace workspace, string code)
    {
        var project = workspace.AddProject(nameof(Snippet), LanguageNames.CSharp);
        var solution = project.Solution
            .WithProjectCompilationOptions(project.Id, new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary))
            .AddMetadataReferences(project.Id, References)
            .AddDocument(DocumentId.CreateNewId(project.Id), "Surroundings.cs", Surroundings);
        var document = DocumentId.CreateNewId(project.Id);
        return solution.AddDocument(document, "Shop.cs", code).GetDocument(document)!;
    }
}
